"""`atrous workspace`: owners of projects, models and keys, kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.home import open_ports
from atrous.cli.terminal import say, show_table
from atrous.workspace.workspaces import create_workspace

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

app = typer.Typer(help="Workspaces: owners of projects, models and keys, kept apart.", no_args_is_help=True)


@app.command("create")
def create(slug: Annotated[str, typer.Argument(help="Its name in addresses: a-z, 0-9, '-' and '_'.")]) -> None:
    """Make an empty workspace."""
    # The first one is made with every home, so that it stays the one that commands act on.
    ports, _ = open_ports(None)
    create_workspace(ports, slug)
    say(f"workspace {slug} is made; `atrous key create --workspace {slug}` makes a key of it")


@app.command("list")
def list_() -> None:
    """List workspaces, the oldest first: commands without --workspace act on that one."""
    ports, _ = open_ports(None)
    rows: list[list[object]] = [
        [slug, len(ports.store.list_projects(slug)), len(ports.store.list_models(slug)), _count_keys(ports, slug)]
        for slug in ports.store.list_workspaces()
    ]
    show_table("Workspaces", ["workspace", "projects", "models", "valid keys"], rows)


def _count_keys(ports: Ports, slug: str) -> int:
    return sum(key.revoked is None for key in ports.store.list_keys(slug))
