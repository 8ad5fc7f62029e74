"""`atrous project`: what was imported."""

from __future__ import annotations

from collections import Counter

import typer

from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import show_table
from atrous.datasets.splits import Split

app = typer.Typer(help="Projects: pictures, labels and classes.", no_args_is_help=True)


@app.command("list")
def list_(workspace: WorkspaceOption = None) -> None:
    """List projects."""
    ports, slug = open_ports(workspace)
    rows: list[list[object]] = []
    for project in ports.store.list_projects(slug):
        counts = Counter(picture.split for picture in ports.store.list_pictures(slug, project.slug))
        rows.append([project.slug, *(counts[split] for split in Split), ", ".join(project.class_map.names)])
    show_table(f"Projects of {slug}", ["project", *(split.value for split in Split), "classes"], rows)
