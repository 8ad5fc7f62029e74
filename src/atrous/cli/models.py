"""`atrous model`: what can be served."""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.cli.home import WorkspaceOption, find_home, open_ports
from atrous.cli.platform_client import Platform
from atrous.cli.precisions import describe_int8, show_int8
from atrous.cli.remote_models import upload_remotely
from atrous.cli.terminal import percent, say, show_table
from atrous.core.errors import InvalidInputError
from atrous.core.ids import VersionId, parse_version_id
from atrous.core.sizes import parse_size
from atrous.training.model_types import ARCHITECTURES, ENCODERS, parse_model_type
from atrous.worker.class_order import make_class_map, read_names
from atrous.worker.publishing import check_weights, publish_weights
from atrous.worker.training import require_torch
from atrous.workspace.bare_versions import create_bare_version
from atrous.workspace.evaluations import request_evaluation
from atrous.workspace.versions import find_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.training.model_types import ModelType
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version

app = typer.Typer(help="Models: trained weights, ready to serve.", no_args_is_help=True)


class Int8(StrEnum):
    """Whether a model gets a network in 8 bits."""

    AUTO = "auto"
    OFF = "off"


@app.command("list")
def list_(workspace: WorkspaceOption = None) -> None:
    """List published models; PROJECT/VERSION stands for that of the version's oldest training."""
    ports, slug = open_ports(workspace)
    rows = [
        [
            str(model.version_id),
            f"{model.workspace}/{model.slug}",
            percent(model.metrics.get("miou")),
            percent(model.metrics.get("served_miou")),
            show_int8(model.metrics),
            f"{model.created:%Y-%m-%d %H:%M}",
        ]
        for model in ports.store.list_models(slug)
    ]
    columns = ["version", "model", "mIoU valid, plain winner", "as served", "int8", "created"]
    show_table(f"Models of {slug}", columns, rows)


@app.command("upload")
def upload(
    file: Annotated[Path, typer.Argument(help="State dict of segmentation-models-pytorch, such as weights.pt.")],
    project: Annotated[str, typer.Option(help="Slug of the project.")],
    version: Annotated[int, typer.Option(min=1, help="Number of the version whose classes the weights tell apart.")],
    model_type: Annotated[
        str | None, typer.Option(help="Such as deeplabv3plus-r50 \\[default: recognised by the weights].")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Any encoder of segmentation-models-pytorch; not with --api-url.")
    ] = None,
    int8: Annotated[Int8, typer.Option(help="off publishes no network in 8 bits; not with --api-url.")] = Int8.AUTO,
    api_url: Annotated[str | None, typer.Option(help="Upload to this server instead of the own home.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="ATROUS_API_KEY", help="Key for that server.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Publish weights that were trained elsewhere as a model of a version.

    They are exported as served, compared with that and scored on the version's valid pictures before anything is
    published.
    """
    if not file.is_file():
        raise InvalidInputError(f"{file}: no such file; give a state dict of segmentation-models-pytorch")
    if api_url and encoder:
        raise InvalidInputError("--encoder is not for a server; name the --model-type, such as deeplabv3plus-r50")
    if api_url and int8 is not Int8.AUTO:
        raise InvalidInputError("--int8 is not for a server, which decides by the scores; leave it out")
    version_id = VersionId(project, version)
    if api_url:
        say(f"published {upload_remotely(Platform(api_url, api_key), version_id, file, model_type)}")
        return
    asked = parse_model_type(model_type) if model_type else None
    ports, slug = open_ports(workspace)
    _publish(ports, find_version(ports, slug, version_id), file, _choose_networks(asked, encoder), int8=int8)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="State dict of segmentation-models-pytorch's DeepLab, or Roboflow's weights.pt.")
    ],
    version: Annotated[str | None, typer.Option(help="PROJECT/VERSION whose classes the weights tell apart.")] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="Class names in the order of the weights, one a line \\[default: the version's order]."),
    ] = None,
    resize: Annotated[
        str | None, typer.Option(help="Without a version: the network's input, WIDTHxHEIGHT; needs --classes.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Without a version: project to keep it in, made if it is not there.")
    ] = None,
    fit: Annotated[Fit, typer.Option(help=f"Without a version: {', '.join(Fit)}.")] = Fit.STRETCH,
    model_type: Annotated[str | None, typer.Option(help="Such as deeplabv3plus-r50 \\[default: recognised].")] = None,
    encoder: Annotated[str | None, typer.Option(help="Any encoder of segmentation-models-pytorch.")] = None,
    int8: Annotated[Int8, typer.Option(help="off publishes no network in 8 bits.")] = Int8.AUTO,
    workspace: WorkspaceOption = None,
) -> None:
    """Publish weights that were trained elsewhere, of a version or without a dataset.

    Pictures must have been normalised by ImageNet's mean and standard deviation, as segmentation-models-pytorch does.
    """
    if not file.is_file():
        raise InvalidInputError(f"{file}: no such file; give a state dict of segmentation-models-pytorch")
    networks = _choose_networks(parse_model_type(model_type) if model_type else None, encoder)
    ports, slug = open_ports(workspace)
    names = read_names(classes) if classes else None
    if version is not None:
        if resize or project:
            raise InvalidInputError("--version has a size and a project; leave out --resize and --project")
        found = find_version(ports, slug, parse_version_id(version))
    elif names and resize and project:
        class_map = make_class_map(names)
        require_torch()
        check_weights(class_map, file, names=names, **networks)
        found = create_bare_version(ports, slug, project, class_map, Preprocessing(parse_size(resize), fit))
    else:
        raise InvalidInputError(
            "name the --version that the weights are for, or what they are: --classes FILE --resize WIDTHxHEIGHT "
            "--project NAME"
        )
    _publish(ports, found, file, networks, int8=int8, names=names)


class Networks(TypedDict):
    """What weights may be of."""

    architectures: Sequence[str]
    encoders: Sequence[str]


def _choose_networks(asked: ModelType | None, encoder: str | None) -> Networks:
    named = encoder or (asked and asked.encoder)
    return {
        "architectures": (asked.architecture,) if asked else ARCHITECTURES,
        "encoders": (named,) if named else tuple(ENCODERS.values()),
    }


def _publish(
    ports: Ports, version: Version, file: Path, networks: Networks, *, int8: Int8, names: Sequence[str] | None = None
) -> None:
    upload_id = secrets.token_hex(8)
    folder = find_home() / "runs" / f"upload-{upload_id}"
    model = publish_weights(ports, version, file, folder, upload_id=upload_id, int8=int8.value, names=names, **networks)
    if not any(version.pictures.values()):
        say(f"published {model.version_id} as {model.workspace}/{model.slug}: not scored, as there are no pictures")
        return
    request_evaluation(ports, model)
    say(
        f"published {model.workspace}/{model.slug}: mIoU {percent(model.metrics['miou'])} on valid by plain winner, "
        f"{percent(model.metrics['served_miou'])} as served"
    )
    say(describe_int8(model.metrics))
