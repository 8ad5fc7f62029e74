"""`atrous key`: who may call the server."""

from __future__ import annotations

from typing import Annotated

import typer

from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import say, show_table
from atrous.workspace.keys import create_key, revoke_key
from atrous.workspace.records import Scope

app = typer.Typer(help="API keys: kept as hashes, shown once, revocable.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[
        Scope,
        typer.Option(help="infer: predict and see what is loaded; manage: unload models too; admin: everything."),
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
            f"{key.created:%Y-%m-%d %H:%M}",
            _revoked_text(key.revoked),
        ]
        for key in ports.store.list_keys(slug)
    ]
    show_table(f"Keys of {slug}", ["id", "name", "starts with", "scope", "created", "revoked"], rows)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id, as `atrous key list` shows it.")], workspace: WorkspaceOption = None
) -> None:
    """Make a key invalid, on running servers too."""
    ports, slug = open_ports(workspace)
    revoke_key(ports, slug, key_id)
    say(f"key {key_id} is revoked")


def _revoked_text(revoked: object) -> str:
    return f"{revoked:%Y-%m-%d %H:%M}" if revoked else ""
