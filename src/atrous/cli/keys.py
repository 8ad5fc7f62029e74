"""`atrous key`: who may call the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import say, show_table
from atrous.workspace.keys import create_key, revoke_key, rotate_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer(help="API keys: kept as hashes, shown once, revocable.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[
        Scope,
        typer.Option(
            help="infer: predict; read: look at everything too; manage: upload, label, train too; admin: everything."
        ),
    ] = Scope.ADMIN,
    rate: Annotated[
        int | None, typer.Option(help="Requests per minute \\[default: the server's requests_per_minute].")
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Make a key; it stands alone on the last line and is never shown again."""
    ports, slug = open_ports(workspace)
    key, secret = create_key(ports, slug, name, scope=scope, requests_per_minute=rate)
    say(f"key {key.id} ({key.name}, {key.scope}) of workspace {slug}; it is shown only now:")
    typer.echo(secret)


@app.command("list")
def list_(workspace: WorkspaceOption = None) -> None:
    """List keys, without their secrets."""
    ports, slug = open_ports(workspace)
    rows = [
        [
            key.id,
            key.name,
            f"{key.prefix}…",
            f"{key.scope} {key.requests_per_minute}/min" if key.requests_per_minute else key.scope.value,
            _show_day(key.created),
            _show_day(key.rotated),
            _show_day(key.revoked),
        ]
        for key in ports.store.list_keys(slug)
    ]
    show_table(f"Keys of {slug}", ["id", "name", "starts", "scope", "created", "rotated", "revoked"], rows)


@app.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(help="Id, as `atrous key list` shows it.")],
    grace: Annotated[int, typer.Option(help="Minutes for which the last secret stays valid.")] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    """Give a key another secret, on running servers too; it stands alone on the last line and is never shown again."""
    ports, slug = open_ports(workspace)
    key, secret = rotate_key(ports, slug, key_id, grace_minutes=grace)
    until = f"for {grace} minutes more" if grace else "no longer"
    say(f"key {key.id} ({key.name}, {key.scope}) of workspace {slug}; its last secret is valid {until}; the new one:")
    typer.echo(secret)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id, as `atrous key list` shows it.")], workspace: WorkspaceOption = None
) -> None:
    """Make a key invalid, on running servers too."""
    ports, slug = open_ports(workspace)
    revoke_key(ports, slug, key_id)
    say(f"key {key_id} is revoked")


def _show_day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""
