"""`atrous serve`: the HTTP server."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from atrous.cli.deployment_options import read_options
from atrous.cli.ending import call_at_eof
from atrous.cli.engines import EngineOption, ServeSite, find_engine
from atrous.cli.fleet import find_fleet
from atrous.cli.home import find_home, find_places, open_ports, read_config
from atrous.cli.terminal import say
from atrous.core.errors import AtrousError, InvalidInputError
from atrous.server.listening import check_certificate, listen, raise_file_limit
from atrous.server.logs import set_up_logging
from atrous.server.recent_logs import RecentLogs
from atrous.server.settings import Settings, read_settings
from atrous.server.tracing import make_tracing
from atrous.server.workers import run_workers
from atrous.worker.keeping import keep_running
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    import socket
    from contextlib import AbstractContextManager
    from types import FrameType

    from atrous.server.model_source import ModelSource
    from atrous.workspace.ports import Ports

logger = logging.getLogger(__name__)

# Of this process alone, not of the deployments that are kept beside it.
OWN_OPTIONS = frozenset({"host", "port", "workers", "certfile", "keyfile", "worker"})


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
    engine: EngineOption = None,
    min_replicas: Annotated[
        int | None, typer.Option(min=0, help="With --engine: of every model that was asked for \\[default: 0].")
    ] = None,
    max_replicas: Annotated[
        int | None, typer.Option(min=1, help="With --engine: of a model \\[default: as many as have room].")
    ] = None,
    settings: Annotated[str | None, typer.Option(hidden=True)] = None,
    address_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
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
        "engine": engine,
    }
    replicas = {"min_replicas": min_replicas, "max_replicas": max_replicas}
    scaling = {name: value for name, value in replicas.items() if value is not None}
    chosen = _choose_settings(given | read_options(settings))
    if scaling and not chosen.engine:
        raise InvalidInputError("--min-replicas, --max-replicas: this process alone has no replicas; give --engine too")
    check_certificate(chosen.certfile, chosen.keyfile)
    set_up_logging(chosen.log_format, chosen.log_level)
    ports, workspace = open_ports(chosen.only_workspace or None)
    if chosen.auth_required and not chosen.deployment:
        _give_first_key(ports, workspace)
    if chosen.engine:
        find_engine(chosen.engine).check(_make_site(chosen, scaling, ports))
    listener = listen(chosen.host, chosen.port)
    _tell_address(listener, chosen, address_fd)
    # So that SIGTERM ends what is kept beside too; the server itself catches it first.
    signal.signal(signal.SIGTERM, _exit)
    if until_eof:
        call_at_eof(partial(os.kill, os.getpid(), signal.SIGTERM))
    with _keep_worker(chosen), _keep_deployments(chosen, ports, given):
        if chosen.workers == 1:
            _run(chosen, scaling, ports, listener)
        elif not run_workers(chosen.workers, partial(_work, chosen, scaling), listener):
            raise AtrousError("the workers died as soon as they were started; the log above says why")


def _choose_settings(given: dict[str, Any]) -> Settings:
    settings = read_settings(os.environ, read_config(), given)
    if not settings.deployment:
        return settings
    # A deployment is one process behind the shared server, whatever that server itself is told.
    return replace(settings, workers=1, worker=False, deployments=False, certfile="", keyfile="")


def _tell_address(listener: socket.socket, settings: Settings, address_fd: int | None) -> None:
    address = _address_of(listener, settings)
    if address_fd is None:
        say(f"serving {find_home()} at {address} (Ctrl-C ends)")
        return
    os.write(address_fd, f"{address}\n".encode())
    os.close(address_fd)


def _exit(sig: int, frame: FrameType | None) -> None:
    del sig, frame
    sys.exit()


def _keep_worker(settings: Settings) -> AbstractContextManager[None]:
    if not settings.worker:
        return nullcontext()
    return keep_running(
        [sys.executable, "-P", "-m", "atrous", "worker", "--until-eof", "--log-format", settings.log_format]
    )


def _keep_deployments(settings: Settings, ports: Ports, given: dict[str, Any]) -> AbstractContextManager[None]:
    if not settings.deployments or settings.only_workspace:
        return nullcontext()
    options = {name: value for name, value in given.items() if value is not None and name not in OWN_OPTIONS}
    command = [sys.executable, "-P", "-m", "atrous", "deployment", "keep", "--until-eof", "--settings"]
    # A process more takes a few seconds of a core and 135 MB, and most servers have no deployment.
    is_needed = partial(_has_deployments, ports)
    return keep_running([*command, json.dumps(options)], "keeper of deployments", is_needed=is_needed)


def _has_deployments(ports: Ports) -> bool:
    try:
        return bool(ports.store.list_deployments())
    except AtrousError as error:
        logger.warning("deployments are not looked for: %s", error)
        return False


def _work(settings: Settings, scaling: dict[str, int], listener: socket.socket) -> None:
    """What a worker process does: the same as a server without workers, on a port that is open already."""
    _run(settings, scaling, open_ports(None)[0], listener)


def _run(settings: Settings, scaling: dict[str, int], ports: Ports, listener: socket.socket) -> None:
    # They take a second to import, which no other command has to wait for.
    from atrous.server.app import create_app
    from atrous.server.running import run_app

    raise_file_limit()
    recent_logs = RecentLogs(settings.recent_logs)
    set_up_logging(settings.log_format, settings.log_level, [recent_logs])
    tracing = make_tracing(os.environ)
    with _open_models(settings, scaling, ports) as models:
        app = create_app(settings, ports, recent_logs=recent_logs, tracing=tracing, fleet=find_fleet(), models=models)
        run_app(app, listener)


def _open_models(
    settings: Settings, scaling: dict[str, int], ports: Ports
) -> AbstractContextManager[ModelSource | None]:
    """What opens models elsewhere than in this process, if the settings name it."""
    if not settings.engine:
        return nullcontext()
    return find_engine(settings.engine).serve(_make_site(settings, scaling, ports))


def _make_site(settings: Settings, scaling: dict[str, int], ports: Ports) -> ServeSite:
    table = read_config().get(settings.engine, {})
    if not isinstance(table, dict):
        raise InvalidInputError(
            f"configuration file: {settings.engine!r} must be a table, written as [{settings.engine}]"
        )
    told = cast("dict[str, Any]", table) | scaling
    return ServeSite(settings, find_home(), find_places(), ports.bundles, told)


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
