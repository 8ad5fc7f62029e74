"""`atrous version`: immutable snapshots of projects."""

from __future__ import annotations

from typing import Annotated

import typer

from atrous.bundle.preprocessing import Fit, Preprocessing
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
    fit: Annotated[Fit, typer.Option(help="How pictures are brought to that size.")] = Fit.STRETCH,
    workspace: WorkspaceOption = None,
) -> None:
    """Freeze a project's pictures, labels and splits under the next number."""
    ports, slug = open_ports(workspace)
    version = create_version(ports, slug, project, Preprocessing(size=parse_size(resize), fit=fit))
    counts = ", ".join(f"{version.pictures[split]} {split}" for split in Split)
    say(f"version {version.id}: {counts}; {resize}, {fit}; sha256 {version.content_sha256[:HASH_SHOWN]}")
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
            version.content_sha256[:HASH_SHOWN],
            f"{version.created:%Y-%m-%d %H:%M}",
        ]
        for version in ports.store.list_versions(slug, project)
    ]
    columns = ["version", *(split.value for split in Split), "resize", "fit", "sha256", "created"]
    show_table(f"Versions of {project}", columns, rows)
