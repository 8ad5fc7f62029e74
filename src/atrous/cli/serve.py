"""`atrous serve`: the HTTP server."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atrous.cli.home import find_home, open_ports, read_config
from atrous.cli.terminal import say
from atrous.core.errors import InvalidInputError
from atrous.server.app import create_app
from atrous.server.settings import read_settings
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

GRACE_S = 30
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on \\[default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one \\[default: 9001].")] = None,
    auth: Annotated[
        str | None, typer.Option(help="on: every call needs a key; off: none does \\[default: on].")
    ] = None,
) -> None:
    r"""Serve every published model over the HTTP API that Roboflow's clients speak.

    Settings come from options, then ATROUS_… variables, then \[server] in ATROUS_HOME/config.toml.
    """
    import uvicorn

    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    # On a first start each of its plugins introduces itself.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    given: dict[str, Any] = {"host": host, "port": port, "auth": auth}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = read_settings(os.environ, read_config(), overrides)
    ports, workspace = open_ports(None)
    if settings.auth_required:
        _give_first_key(ports, workspace)
    app = create_app(settings, ports)
    config = uvicorn.Config(
        app,
        # Our own access log leaves out the query, where clients put their keys.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    listener = _listen(settings.host, settings.port)
    address = listener.getsockname()
    host_text = f"[{address[0]}]" if ":" in address[0] else address[0]
    say(f"serving {find_home()} at http://{host_text}:{address[1]} (Ctrl-C ends)")
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Take the port; from here on callers wait for an answer instead of being refused."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        # Without what the socket module adds: the address once more.
        reason = str(error.strerror).partition(" (while")[0]
        raise InvalidInputError(
            f"{host}:{port}: cannot listen there ({reason}); choose another --port, or end what uses it"
        ) from error


def _give_first_key(ports: Ports, workspace: str) -> None:
    if any(ports.store.list_keys(slug) for slug in ports.store.list_workspaces()):
        return
    _, secret = create_key(ports, workspace, "first key")
    say(f"first start: this key of workspace {workspace} is shown only now (`atrous key create` makes more):")
    typer.echo(secret)
