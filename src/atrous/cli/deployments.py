"""`atrous deployment`: private endpoints, each a server of its own with limits and a life."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.deployment_keeper import keep
from atrous.cli.fleet import find_fleet
from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import say, show_table
from atrous.core.errors import AtrousError, InvalidInputError
from atrous.workspace.deployment import DeploymentState, DeploymentWish
from atrous.workspace.deployments import (
    MAX_LINES,
    DeploymentOrder,
    change_models,
    create_deployment,
    delete_deployment,
    find_deployment,
    find_room,
    list_log,
    list_use,
    pause_deployment,
    resume_deployment,
)
from atrous.workspace.machine_types import describe_parts

if TYPE_CHECKING:
    from atrous.workspace.deployment import Deployment, LogEntry
    from atrous.workspace.ports import Ports

app = typer.Typer(help="Dedicated deployments: servers of their own for chosen models.", no_args_is_help=True)

WAIT_S = 0.5
FOLLOW_S = 1.0
# A host looks about once a second.
HINT_AFTER_S = 10

Name = Annotated[str, typer.Argument(help="5 to 15 lower-case letters, digits or '-', a letter first.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Model that is loaded before it is ready, such as road/1; repeatable."),
]
Duration = Annotated[float | None, typer.Option(help="Hours until it expires \\[default: never].")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it answers, or cannot.")]


@app.command("machine-type")
def machine_type() -> None:
    """List the machine types, and what is free of all that deployments may take."""
    ports, _ = open_ports(None)
    fleet = find_fleet()
    rows = [
        [one.name, one.threads, _show_size(one.memory_bytes), one.gpus, one.description] for one in fleet.types.values()
    ]
    show_table("Machine types", ["name", "threads", "memory", "GPUs", "description"], rows)
    say(f"free: {describe_parts(find_room(ports, fleet))}; of {describe_parts(fleet.capacity)}")


@app.command("create")
def create(
    name: Name,
    machine_type: Annotated[
        str, typer.Option("--machine-type", "-m", help="As `atrous deployment machine-type` lists them.")
    ],
    model: Models = None,
    duration: Duration = None,
    delete_on_expiration: Annotated[
        bool,
        typer.Option("--delete-on-expiration/--no-delete-on-expiration", help="Delete it then, or keep it stopped."),
    ] = True,
    email: Annotated[str, typer.Option("--email", "-e", help="Whom to ask about it.")] = "",
    inference_version: Annotated[str, typer.Option(help="Told back, without effect.")] = "latest",
    wait: Wait = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Order a deployment; `atrous serve` starts it and answers for it at /deployments/NAME."""
    ports, slug = open_ports(workspace)
    order = DeploymentOrder(
        name=name,
        machine_type=machine_type,
        duration_hours=duration,
        delete_on_expiration=delete_on_expiration,
        models=tuple(model or ()),
        creator_email=email,
        inference_version=inference_version,
    )
    create_deployment(ports, find_fleet(), slug, order)
    say(f"deployment {name} is ordered; once it is ready, `atrous serve` answers for it at /deployments/{name}")
    if wait:
        _wait(ports, slug, name)


@app.command("get")
def get(name: Name, wait: Wait = False, workspace: WorkspaceOption = None) -> None:
    """Show a deployment."""
    ports, slug = open_ports(workspace)
    found = _wait(ports, slug, name) if wait else find_deployment(ports, slug, name)
    rows = [
        ["state", _show_state(found)],
        ["message", found.message],
        ["models", ", ".join(found.models)],
        ["machine type", found.machine_type],
        ["path", f"/deployments/{found.name}"],
        ["address", found.address],
        ["kept by", found.owner],
        ["restarts", found.restarts],
        ["created", _show_moment(found.created)],
        ["expires", _show_moment(found.expires) or "never"],
        ["then", _show_end(found)],
        ["creator", found.creator_email],
    ]
    show_table(f"Deployment {found.name}", ["", ""], rows)


@app.command("list")
def list_(workspace: WorkspaceOption = None) -> None:
    """List deployments, oldest first."""
    ports, slug = open_ports(workspace)
    rows = [
        [one.name, _show_state(one), one.machine_type, ", ".join(one.models), _show_moment(one.expires) or "never"]
        for one in ports.store.list_deployments(slug)
    ]
    show_table(f"Deployments of {slug}", ["name", "state", "machine type", "models", "expires"], rows)


@app.command("usage")
def usage(
    name: Annotated[
        str | None, typer.Argument(help="Of one deployment \\[default: all, and the shared server].")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="ISO 8601 \\[default: a day before --to].")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO 8601 \\[default: now].")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Show what was asked of which model with which key, hour by hour; times without a zone are of this machine."""
    ports, slug = open_ports(workspace)
    until = _read_moment(end, "--to") if end else ports.clock.now()
    since = _read_moment(start, "--from") if start else until - timedelta(days=1)
    hours = list_use(ports, slug, since=since, until=until, name=name)
    rows: list[list[object]] = [
        [
            _show_moment(one.hour),
            one.deployment,
            one.model,
            one.key_id,
            one.requests,
            one.pictures,
            round(one.compute_s, 3),
        ]
        for one in hours
    ]
    columns = ["hour", "deployment", "model", "key", "requests", "pictures", "compute s"]
    show_table(f"Use by keys of {slug}", columns, rows)


@app.command("pause")
def pause(name: Name, workspace: WorkspaceOption = None) -> None:
    """Stop a deployment, which frees all that it takes."""
    ports, slug = open_ports(workspace)
    pause_deployment(ports, slug, name)
    say(f"deployment {name} is being paused; `atrous deployment resume {name}` brings it back")


@app.command("resume")
def resume(name: Name, duration: Duration = None, wait: Wait = False, workspace: WorkspaceOption = None) -> None:
    """Run a deployment again that was paused, failed or expired; what expired needs --duration."""
    ports, slug = open_ports(workspace)
    resume_deployment(ports, find_fleet(), slug, name, duration_hours=duration)
    say(f"deployment {name} is to run")
    if wait:
        _wait(ports, slug, name)


@app.command("update")
def update(name: Name, model: Models = None, wait: Wait = False, workspace: WorkspaceOption = None) -> None:
    """Give a deployment other models, all of them named; no request is lost meanwhile."""
    ports, slug = open_ports(workspace)
    if not model:
        raise InvalidInputError("--model: name every model that the deployment is to load, such as --model road/1")
    change_models(ports, slug, name, model)
    say(f"deployment {name} is to load {', '.join(model)}")
    if wait:
        _wait(ports, slug, name)


@app.command("delete")
def delete(name: Name, workspace: WorkspaceOption = None) -> None:
    """Stop and forget a deployment with its log; what it was used for is kept."""
    ports, slug = open_ports(workspace)
    delete_deployment(ports, slug, name)
    say(f"deployment {name} is being deleted")


@app.command("log")
def log(
    name: Name,
    duration: Annotated[int, typer.Option("--duration", "-d", min=1, help="Seconds to look back.")] = 3600,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, max=MAX_LINES, help="Lines to show at most.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show what a deployment logged, oldest first."""
    ports, slug = open_ports(workspace)
    now = ports.clock.now()
    since = now - timedelta(seconds=min(duration, 10**9))
    shown = list_log(ports, slug, name, since=since, until=now, limit=tail)
    _print_entries(shown)
    while follow:
        time.sleep(FOLLOW_S)
        since = shown[0].timestamp if shown else since
        newer = list_log(ports, slug, name, since=since, until=ports.clock.now(), limit=MAX_LINES)
        _print_entries([entry for entry in newer if entry not in shown])
        shown = newer or shown


app.command("keep")(keep)


def _wait(ports: Ports, workspace: str, name: str) -> Deployment:
    """The deployment once it is what it is to be."""
    hint_at_s = time.monotonic() + HINT_AFTER_S
    while _is_on_its_way(found := find_deployment(ports, workspace, name)):
        if time.monotonic() >= hint_at_s and not found.owner:
            say(f"deployment {name} waits for a host that keeps deployments; is `atrous serve` running?")
            hint_at_s = math.inf
        time.sleep(WAIT_S)
    if found.state is DeploymentState.FAILED or _is_changing(found):
        raise AtrousError(f"deployment {name}: {found.message}; `atrous deployment log {name}` shows more")
    say(f"deployment {name} is {_show_state(found)}")
    return found


def _is_on_its_way(deployment: Deployment) -> bool:
    # While it changes, a message says why it cannot.
    is_pending = deployment.state is DeploymentState.PENDING
    return is_pending or (_is_changing(deployment) and not deployment.message)


def _is_changing(deployment: Deployment) -> bool:
    return deployment.state is DeploymentState.READY and deployment.served_revision != deployment.revision


def _print_entries(newest_first: list[LogEntry]) -> None:
    for entry in reversed(newest_first):
        typer.echo(f"[{entry.timestamp.astimezone():%Y-%m-%d %H:%M:%S.%f}] {entry.payload}")


def _read_moment(text: str, option: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f"{option} {text[:40]!r}: write ISO 8601, such as 2026-01-31T12:00") from error


def _show_state(deployment: Deployment) -> str:
    return "deleting" if deployment.wish is DeploymentWish.DELETE else deployment.state.value


def _show_end(deployment: Deployment) -> str:
    if deployment.expires is None:
        return ""
    return "deleted" if deployment.delete_on_expiration else "kept, stopped"


def _show_moment(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""


def _show_size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
