"""`atrous project`: sets of pictures with their classes."""

from __future__ import annotations

from typing import Annotated

import typer

from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import say, show_table
from atrous.datasets.splits import Split
from atrous.workspace.projects import create_project, list_facts
from atrous.workspace.trash import RETENTION, TrashKind, delete_project, list_trash, restore_project

app = typer.Typer(help="Projects: pictures, labels and classes.", no_args_is_help=True)

ProjectArgument = Annotated[str, typer.Argument(help="Slug of the project.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What people call it; its slug is made of it.")],
    annotation: Annotated[str, typer.Option(help="What its objects are called as a whole \\[default: the name].")] = "",
    license_name: Annotated[str, typer.Option("--license", help="What its pictures may be used for.")] = "",
    workspace: WorkspaceOption = None,
) -> None:
    """Make an empty project; its slug stands alone on the last line."""
    ports, slug = open_ports(workspace)
    project = create_project(ports, slug, name, annotation=annotation, license_name=license_name)
    say(f"made project {project.name!r}; `atrous import PATH --project {project.slug}` fills it")
    typer.echo(project.slug)


@app.command("list")
def list_(
    trash: Annotated[bool, typer.Option("--trash", help="List what is in the trash instead.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List projects."""
    ports, slug = open_ports(workspace)
    if trash:
        items = [item for item in list_trash(ports, slug) if item.kind is TrashKind.PROJECT]
        rows: list[list[object]] = [[item.id, f"{item.deleted:%Y-%m-%d}", f"{item.cleanup:%Y-%m-%d}"] for item in items]
        show_table(f"Projects of {slug} in the trash", ["project", "deleted", "gone for good"], rows)
        return
    rows = [
        [
            one.project.slug,
            *(one.counts.splits.get(split, 0) for split in Split),
            one.counts.unlabelled,
            ", ".join(one.project.class_map.names),
        ]
        for one in list_facts(ports, slug)
    ]
    show_table(f"Projects of {slug}", ["project", *(split.value for split in Split), "unlabelled", "classes"], rows)


@app.command("delete")
def delete(project: ProjectArgument, workspace: WorkspaceOption = None) -> None:
    """Put a project in the trash, with its versions and models."""
    ports, slug = open_ports(workspace)
    delete_project(ports, slug, project)
    say(f"project {project} is in the trash for {RETENTION.days} days; `atrous project restore` brings it back")


@app.command("restore")
def restore(project: ProjectArgument, workspace: WorkspaceOption = None) -> None:
    """Take a project back out of the trash, with all that is in it."""
    ports, slug = open_ports(workspace)
    restore_project(ports, slug, project)
    say(f"project {project} is back")
