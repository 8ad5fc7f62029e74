"""`atrous serve`: the HTTP server."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atrous.cli.home import find_home, open_ports, read_config
from atrous.cli.terminal import say
from atrous.core.errors import AtrousError
from atrous.server.app import create_app
from atrous.server.listening import check_certificate, listen, raise_file_limit
from atrous.server.logs import set_up_logging
from atrous.server.recent_logs import RecentLogs
from atrous.server.running import run_app
from atrous.server.settings import Settings, read_settings
from atrous.server.tracing import make_tracing
from atrous.server.workers import run_workers
from atrous.worker.keeping import keep_running
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from atrous.workspace.ports import Ports


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on \\[default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one \\[default: 9001].")] = None,
    auth: Annotated[
        str | None, typer.Option(help="on: every call needs a key; off: none does \\[default: on].")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the port, each with models of its own \\[default: 1].")
    ] = None,
    certfile: Annotated[str | None, typer.Option(help="PEM certificate chain, for HTTPS.")] = None,
    keyfile: Annotated[str | None, typer.Option(help="PEM key of the certificate, unencrypted.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32 or int8: how networks are run \\[default: auto].")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="auto, onnx, openvino or onnx-cuda: what runs them \\[default: auto].")
    ] = None,
    jpeg_scale: Annotated[
        str | None,
        typer.Option(help="full, or auto: decode large JPEGs at a half, a quarter or an eighth \\[default: full]."),
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="people or json \\[default: people].")] = None,
    worker: Annotated[
        bool | None,
        typer.Option("--worker/--no-worker", help="Do queued jobs too, in a process beside \\[default: --worker]."),
    ] = None,
) -> None:
    r"""Serve every published model over the HTTP API that Roboflow's clients speak.

    Settings come from options, then ATROUS_… variables, then \[server] in ATROUS_HOME/config.toml.
    """
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "auth": auth,
        "workers": workers,
        "certfile": certfile,
        "keyfile": keyfile,
        "jpeg_scale": jpeg_scale,
        "precision": precision,
        "backend": backend,
        "log_format": log_format,
        "worker": worker,
    }
    settings = read_settings(os.environ, read_config(), given)
    check_certificate(settings.certfile, settings.keyfile)
    set_up_logging(settings.log_format, settings.log_level)
    ports, workspace = open_ports(None)
    if settings.auth_required:
        _give_first_key(ports, workspace)
    listener = listen(settings.host, settings.port)
    say(f"serving {find_home()} at {_address_of(listener, settings)} (Ctrl-C ends)")
    # So that SIGTERM ends what is kept beside too; the server itself catches it first.
    signal.signal(signal.SIGTERM, _exit)
    with keep_running(_worker_command(settings)) if settings.worker else nullcontext():
        if settings.workers == 1:
            _run(settings, ports, listener)
        elif not run_workers(settings.workers, partial(_work, settings), listener):
            raise AtrousError("the workers died as soon as they were started; the log above says why")


def _exit(sig: int, frame: FrameType | None) -> None:
    del sig, frame
    sys.exit()


def _worker_command(settings: Settings) -> list[str]:
    return [sys.executable, "-P", "-m", "atrous", "worker", "--until-eof", "--log-format", settings.log_format]


def _work(settings: Settings, listener: socket.socket) -> None:
    """What a worker process does: the same as a server without workers, on a port that is open already."""
    _run(settings, open_ports(None)[0], listener)


def _run(settings: Settings, ports: Ports, listener: socket.socket) -> None:
    raise_file_limit()
    recent_logs = RecentLogs(settings.recent_logs)
    set_up_logging(settings.log_format, settings.log_level, [recent_logs])
    app = create_app(settings, ports, recent_logs=recent_logs, tracing=make_tracing(os.environ))
    run_app(app, listener)


def _address_of(listener: socket.socket, settings: Settings) -> str:
    host, port, *_ = listener.getsockname()
    scheme = "https" if settings.certfile else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _give_first_key(ports: Ports, workspace: str) -> None:
    if any(ports.store.list_keys(slug) for slug in ports.store.list_workspaces()):
        return
    _, secret = create_key(ports, workspace, "first key")
    say(f"first start: this key of workspace {workspace} is shown only now (`atrous key create` makes more):")
    typer.echo(secret)
