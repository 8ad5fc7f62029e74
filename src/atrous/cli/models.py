"""`atrous model`: what can be served."""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from atrous.cli.home import WorkspaceOption, find_home, open_ports
from atrous.cli.platform_client import Platform
from atrous.cli.precisions import describe_int8, show_int8
from atrous.cli.remote_models import upload_remotely
from atrous.cli.terminal import percent, say, show_table
from atrous.core.errors import InvalidInputError
from atrous.core.ids import VersionId
from atrous.training.model_types import ARCHITECTURES, ENCODERS, parse_model_type
from atrous.worker.publishing import publish_weights
from atrous.workspace.evaluations import request_evaluation
from atrous.workspace.versions import find_version

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
    named = encoder or (asked and asked.encoder)
    ports, slug = open_ports(workspace)
    upload_id = secrets.token_hex(8)
    model = publish_weights(
        ports,
        find_version(ports, slug, version_id),
        file,
        find_home() / "runs" / f"upload-{upload_id}",
        upload_id=upload_id,
        int8=int8.value,
        architectures=(asked.architecture,) if asked else ARCHITECTURES,
        encoders=(named,) if named else tuple(ENCODERS.values()),
    )
    request_evaluation(ports, model)
    say(
        f"published {model.workspace}/{model.slug}: mIoU {percent(model.metrics['miou'])} on valid by plain winner, "
        f"{percent(model.metrics['served_miou'])} as served"
    )
    say(describe_int8(model.metrics))
