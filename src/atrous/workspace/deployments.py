"""Dedicated deployments: who may have which, for how long, and what they were used for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import reduce
from typing import TYPE_CHECKING

from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError
from atrous.workspace.deployment import Deployment, DeploymentState, DeploymentWish, LogEntry, UsageHour
from atrous.workspace.machine_types import find_shortage, subtract
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from atrous.workspace.machine_types import Fleet, Machine, MachineType
    from atrous.workspace.ports import Ports

NAME = re.compile(r"[a-z][a-z0-9-]{4,14}")
EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,254}")
VERSION = re.compile(r"[A-Za-z0-9._+-]{1,64}")
MAX_HOURS = 24 * 366 * 10
MAX_MODELS = 64
MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class DeploymentOrder:
    """What somebody wants.

    Attributes:
        duration_hours: until it expires; None is for ever.
        models: ids that it loads before it is ready.
        creator_email: whom to ask about it; may be empty.
        inference_version: told back, not acted upon.
    """

    name: str
    machine_type: str
    duration_hours: float | None = None
    delete_on_expiration: bool = True
    models: tuple[str, ...] = ()
    creator_email: str = ""
    inference_version: str = "latest"


def create_deployment(ports: Ports, fleet: Fleet, workspace: str, order: DeploymentOrder) -> Deployment:
    """Order a deployment; a host that keeps deployments starts it soon.

    Raises:
        InvalidInputError: if name, email, duration or models cannot be, or nothing here is so large.
        NotFoundError: if there is no such machine type or model.
        ConflictError: if the name is taken, or others leave too little room.
    """
    _check_words(order)
    models = _check_models(ports, workspace, order.models)
    machine_type = _find_type(fleet, order.machine_type)
    if ports.store.find_deployment(order.name):
        raise ConflictError(f"deployment {order.name!r}: this name is taken; choose another one")
    now = ports.clock.now()
    deployment = Deployment(
        name=order.name,
        workspace=workspace,
        machine_type=machine_type.name,
        creator_email=order.creator_email,
        created=now,
        models=models,
        expires=None if order.duration_hours is None else _end_after(now, order.duration_hours),
        delete_on_expiration=order.delete_on_expiration,
        inference_version=order.inference_version,
        changed=now,
    )
    _check_room(ports, fleet, machine_type, deployment)
    ports.store.add_deployment(deployment)
    return deployment


def find_deployment(ports: Ports, workspace: str, name: str) -> Deployment:
    """A deployment of the workspace.

    Raises:
        NotFoundError: if it has none of this name; those of others do not exist for it.
    """
    deployment = ports.store.find_deployment(name)
    if deployment is None or deployment.workspace != workspace:
        raise _missing(name)
    return deployment


def pause_deployment(ports: Ports, workspace: str, name: str) -> Deployment:
    """Have a deployment stopped, which frees all that it takes, until it is resumed.

    Raises:
        NotFoundError: if there is none.
        ConflictError: if its time is over, or it is being deleted.
    """
    deployment = _find_living(ports, workspace, name)
    if is_over(deployment, ports.clock.now()):
        raise ConflictError(f"deployment {name!r}: its time is over; resume it with a new duration, or delete it")
    return _order(ports, deployment, wish=DeploymentWish.PAUSE)


def resume_deployment(
    ports: Ports, fleet: Fleet, workspace: str, name: str, *, duration_hours: float | None = None
) -> Deployment:
    """Have a deployment run that was paused, failed or expired.

    Args:
        ports: the world.
        fleet: the machine types and the room there is.
        workspace: whose deployment it is.
        name: of the deployment.
        duration_hours: from now on until it expires; None leaves its end where it is.

    Raises:
        NotFoundError: if there is none, or its machine type is gone.
        InvalidInputError: if the duration cannot be.
        ConflictError: if its time is over and no new one is given, it is being deleted, or there is no room.
    """
    deployment = _find_living(ports, workspace, name)
    now = ports.clock.now()
    if duration_hours is None and is_over(deployment, now):
        raise ConflictError(f"deployment {name!r}: its time is over; say how many hours more it is to run (duration)")
    expires = None if duration_hours is None else _end_after(now, duration_hours)
    _check_room(ports, fleet, _find_type(fleet, deployment.machine_type), deployment)
    return _order(ports, deployment, wish=DeploymentWish.RUN, expires=expires)


def change_models(ports: Ports, workspace: str, name: str, models: Sequence[str]) -> Deployment:
    """Have a deployment load other models; it goes on answering with the ones before until the new ones do.

    Raises:
        NotFoundError: if there is no such deployment or model.
        InvalidInputError: if there are too many models, or one has no form of an id.
        ConflictError: if it is being deleted.
    """
    deployment = _find_living(ports, workspace, name)
    return _order(ports, deployment, models=_check_models(ports, workspace, models))


def delete_deployment(ports: Ports, workspace: str, name: str) -> None:
    """Have a deployment stopped and forgotten, with its log; at once if no host holds it.

    Raises:
        NotFoundError: if there is none.
    """
    deployment = _order(ports, find_deployment(ports, workspace, name), wish=DeploymentWish.DELETE)
    if deployment.leased_until is None or deployment.leased_until < ports.clock.now():
        try:
            ports.store.remove_deployment(name, deployment.owner)
        except ConflictError:
            # A host has just taken it, which will do the same.
            return


def list_log(
    ports: Ports, workspace: str, name: str, *, since: datetime, until: datetime, limit: int
) -> list[LogEntry]:
    """What a deployment logged in [since, until], newest first.

    Raises:
        NotFoundError: if there is none.
        InvalidInputError: if the limit is not from 1 to 1000.
    """
    find_deployment(ports, workspace, name)
    if not 1 <= limit <= MAX_LINES:
        raise InvalidInputError(f"{limit} lines of the log: ask for 1 to {MAX_LINES}")
    return ports.store.list_log_entries(name, since.astimezone(UTC), until.astimezone(UTC), limit)


def list_use(
    ports: Ports, workspace: str, *, since: datetime, until: datetime, name: str | None = None
) -> list[UsageHour]:
    """What the hours that overlap [since, until) were used for, oldest first, the shared server's included.

    Args:
        ports: the world.
        workspace: whose keys were used.
        since: its hour is told as a whole.
        until: must be later.
        name: of the deployment, if one is meant; one that was deleted is known by its use.

    Raises:
        NotFoundError: if there is no such deployment, and none of this name was used then.
        InvalidInputError: if the time does not begin before it ends.
    """
    if since >= until:
        raise InvalidInputError("the time asked for ends before it begins; swap its two ends")
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = ports.store.list_usage(workspace, hour, until.astimezone(UTC), name)
    if name is not None and not hours:
        find_deployment(ports, workspace, name)
    return hours


def is_over(deployment: Deployment, now: datetime) -> bool:
    """Whether its time has run out, or somebody had it expire."""
    is_late = deployment.expires is not None and deployment.expires <= now
    return is_late or deployment.wish is DeploymentWish.EXPIRE or deployment.state is DeploymentState.EXPIRED


def find_room(ports: Ports, fleet: Fleet, but: str = "") -> Machine:
    """What the deployments of all workspaces leave of the capacity, the one of this name not counted."""
    now = ports.clock.now()
    taken = [
        fleet.types[one.machine_type]
        for one in ports.store.list_deployments()
        if one.name != but and one.machine_type in fleet.types and _takes_room(one, now)
    ]
    return reduce(subtract, taken, fleet.capacity)


def _takes_room(deployment: Deployment, now: datetime) -> bool:
    is_to_run = deployment.wish is DeploymentWish.RUN and not is_over(deployment, now)
    return is_to_run or bool(deployment.address)


def _check_room(ports: Ports, fleet: Fleet, machine_type: MachineType, deployment: Deployment) -> None:
    shortage = find_shortage(machine_type, fleet.capacity)
    if shortage:
        raise InvalidInputError(
            f"machine type {machine_type.name!r}: needs {shortage} even if nothing else runs; choose a smaller one"
        )
    shortage = find_shortage(machine_type, find_room(ports, fleet, deployment.name))
    if shortage:
        raise ConflictError(
            f"deployment {deployment.name!r}: needs {shortage}; pause or delete another deployment, or choose a "
            "smaller machine type"
        )


def _check_words(order: DeploymentOrder) -> None:
    if not NAME.fullmatch(order.name):
        raise InvalidInputError(
            f"deployment name {order.name[:40]!r}: use 5 to 15 lower-case letters, digits or '-', a letter first"
        )
    if order.creator_email and not EMAIL.fullmatch(order.creator_email):
        raise InvalidInputError(f"creator_email {order.creator_email[:80]!r}: is no address of email; correct it")
    if not VERSION.fullmatch(order.inference_version):
        raise InvalidInputError(
            f"inference_version {order.inference_version[:80]!r}: is no version; leave it out, or write latest"
        )


def _check_models(ports: Ports, workspace: str, models: Sequence[str]) -> tuple[str, ...]:
    """The models, each once."""
    if len(models) > MAX_MODELS:
        raise InvalidInputError(f"{len(models)} models: name at most {MAX_MODELS}; others are loaded when asked for")
    for model_id in models:
        find_model(ports, workspace, model_id)
    return tuple(dict.fromkeys(models))


def _find_type(fleet: Fleet, name: str) -> MachineType:
    if name not in fleet.types:
        raise NotFoundError(f"machine type {name[:40]!r}: does not exist; choose of {', '.join(fleet.types)}")
    return fleet.types[name]


def _end_after(now: datetime, hours: float) -> datetime:
    # So written that NaN is refused too.
    if not 0 < hours <= MAX_HOURS:
        raise InvalidInputError(f"duration of {hours:g} hours: use more than 0 and at most {MAX_HOURS}")
    return now + timedelta(hours=hours)


def _find_living(ports: Ports, workspace: str, name: str) -> Deployment:
    deployment = find_deployment(ports, workspace, name)
    if deployment.wish is DeploymentWish.DELETE:
        raise _leaving(name)
    return deployment


def _order(
    ports: Ports,
    deployment: Deployment,
    *,
    wish: DeploymentWish | None = None,
    models: Sequence[str] | None = None,
    expires: datetime | None = None,
) -> Deployment:
    ordered = ports.store.order_deployment(deployment.name, wish=wish, models=models, expires=expires)
    if ordered is None:
        raise _missing(deployment.name)
    if ordered.wish is DeploymentWish.DELETE and wish is not DeploymentWish.DELETE:
        raise _leaving(deployment.name)
    return ordered


def _missing(name: str) -> NotFoundError:
    return NotFoundError(f"deployment {name[:40]!r}: not found; `atrous deployment list` shows those there are")


def _leaving(name: str) -> ConflictError:
    return ConflictError(f"deployment {name!r}: is being deleted; create it anew once it is gone")
