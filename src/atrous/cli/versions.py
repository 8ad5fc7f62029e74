"""`atrous version`: immutable snapshots of projects."""

from __future__ import annotations

from typing import Annotated

import typer

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import parse_crop
from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import say, show_table
from atrous.core.sizes import parse_size
from atrous.datasets.splits import Split
from atrous.workspace.versions import create_version, find_project

app = typer.Typer(help="Versions: immutable, numbered snapshots of a project.", no_args_is_help=True)

HASH_SHOWN = 12


@app.command("create")
def create(
    project: Annotated[str, typer.Argument(help="Project slug.")],
    resize: Annotated[str, typer.Option(help="The network's input, WIDTHxHEIGHT.")] = "512x512",
    fit: Annotated[Fit, typer.Option(help=f"How pictures are brought to that size: {', '.join(Fit)}.")] = Fit.STRETCH,
    crop: Annotated[
        str | None, typer.Option(help="Keep this part of pictures: X_MIN,Y_MIN,X_MAX,Y_MAX in percent.")
    ] = None,
    grayscale: Annotated[bool, typer.Option("--grayscale", help="Take the colour out of pictures.")] = False,
    contrast: Annotated[
        Contrast | None, typer.Option(help=f"Raise the contrast of pictures: {', '.join(Contrast)}.")
    ] = None,
    auto_orient: Annotated[bool, typer.Option(help="Turn pictures as their EXIF data says.")] = True,
    workspace: WorkspaceOption = None,
) -> None:
    """Freeze a project's pictures, labels and splits under the next number, and how models will see them."""
    ports, slug = open_ports(workspace)
    preprocessing = Preprocessing(
        size=parse_size(resize),
        fit=fit,
        auto_orient=auto_orient,
        crop=None if crop is None else parse_crop(crop),
        grayscale=grayscale,
        contrast=contrast,
    )
    version = create_version(ports, slug, project, preprocessing)
    counts = ", ".join(f"{version.pictures[split]} {split}" for split in Split)
    steps = ", ".join([resize, fit, *_name_steps(preprocessing)])
    say(f"version {version.id}: {counts}; {steps}; sha256 {version.content_sha256[:HASH_SHOWN]}")
    say(f"next: atrous train {version.id}")
    typer.echo(str(version.id))


@app.command("list")
def list_(project: Annotated[str, typer.Argument(help="Project slug.")], workspace: WorkspaceOption = None) -> None:
    """List a project's versions."""
    ports, slug = open_ports(workspace)
    find_project(ports, slug, project)
    rows = [
        [
            str(version.id),
            *(version.pictures[split] for split in Split),
            str(version.preprocessing.size),
            version.preprocessing.fit.value,
            ", ".join(_name_steps(version.preprocessing)),
            version.content_sha256[:HASH_SHOWN],
            f"{version.created:%Y-%m-%d %H:%M}",
        ]
        for version in ports.store.list_versions(slug, project)
    ]
    columns = ["version", *(split.value for split in Split), "resize", "fit", "steps", "sha256", "created"]
    show_table(f"Versions of {project}", columns, rows)


def _name_steps(preprocessing: Preprocessing) -> list[str]:
    """What else is done to pictures, or left undone, than by default."""
    steps: list[str] = []
    if preprocessing.crop:
        steps.append(f"crop {preprocessing.crop}")
    if preprocessing.grayscale:
        steps.append("grayscale")
    if preprocessing.contrast:
        steps.append(f"contrast {preprocessing.contrast}")
    if not preprocessing.auto_orient:
        steps.append("not turned")
    return steps
