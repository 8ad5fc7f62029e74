"""Deployments in the words that Roboflow's clients print."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from atrous.workspace.deployment import Deployment, DeploymentState, DeploymentWish, LogEntry, UsageHour
from atrous.workspace.machine_types import describe_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from atrous.workspace.machine_types import MachineType

DELETING = "deleting"


class MachineTypeShape(BaseModel):
    """What a deployment of this type gets."""

    name: str
    description: str
    threads: int
    memory_bytes: int
    gpus: int


class DeploymentShape(BaseModel):
    """A deployment.

    `status` is pending, ready, paused, expired, failed or deleting, and `message` says why. `deployment_url` is where
    it is asked for predictions; `domain` is the same without its scheme. `duration` is in hours, and null where it has
    no end. Names, ids and figures that mean nothing here are there for clients that look at them.
    """

    deployment_id: str
    deployment_name: str
    machine_type: str
    creator_email: str
    creator_id: str
    subdomain: str
    domain: str
    deployment_url: str
    duration: float | None
    delete_on_expiration: bool
    creation_timestamp: str
    expiration_timestamp: str | None
    inference_version: str
    min_replicas: int
    max_replicas: int
    num_replicas: int
    models: list[str]
    revision: int
    served_revision: int
    restarts: int
    status: str
    message: str
    workspace_id: str
    workspace_url: str


class UseShape(BaseModel):
    """Requests that were answered with a prediction, pictures in them, and seconds of work on these."""

    requests: int
    pictures: int
    compute_seconds: float


class HourShape(UseShape):
    """What one key asked of one model in the hour that begins at `hour`."""

    hour: str
    model: str
    key_id: str


class DeploymentUseShape(UseShape):
    """The use of a deployment; of the shared server where its name is empty."""

    deployment_name: str
    hours: list[HourShape]


class LogEntryShape(BaseModel):
    """A line of a log."""

    insert_id: str
    timestamp: str
    payload: str


def shape_machine_type(machine_type: MachineType) -> dict[str, Any]:
    """As `MachineTypeShape`."""
    return {
        "name": machine_type.name,
        "description": "; ".join(filter(None, [describe_parts(machine_type), machine_type.description])),
        "threads": machine_type.threads,
        "memory_bytes": machine_type.memory_bytes,
        "gpus": machine_type.gpus,
    }


def shape_deployment(deployment: Deployment, url: str) -> dict[str, Any]:
    """As `DeploymentShape`.

    Args:
        deployment: to be told.
        url: where it is asked for predictions.
    """
    is_ready = deployment.state is DeploymentState.READY
    return {
        "deployment_id": deployment.name,
        "deployment_name": deployment.name,
        "machine_type": deployment.machine_type,
        "creator_email": deployment.creator_email,
        "creator_id": deployment.creator_email,
        "subdomain": deployment.name,
        "domain": url.partition("://")[2],
        "deployment_url": url,
        "duration": _count_hours(deployment.created, deployment.expires),
        "delete_on_expiration": deployment.delete_on_expiration,
        "creation_timestamp": deployment.created.isoformat(),
        "expiration_timestamp": deployment.expires.isoformat() if deployment.expires else None,
        "inference_version": deployment.inference_version,
        "min_replicas": 1,
        "max_replicas": 1,
        "num_replicas": int(is_ready),
        "models": list(deployment.models),
        "revision": deployment.revision,
        "served_revision": deployment.served_revision,
        "restarts": deployment.restarts,
        "status": describe_state(deployment),
        "message": deployment.message,
        "workspace_id": deployment.workspace,
        "workspace_url": deployment.workspace,
    }


def describe_state(deployment: Deployment) -> str:
    """Its state, or that it is about to be gone."""
    return DELETING if deployment.wish is DeploymentWish.DELETE else deployment.state.value


def shape_deployment_use(name: str, hours: Sequence[UsageHour]) -> dict[str, Any]:
    """As `DeploymentUseShape`."""
    return {"deployment_name": name, **sum_use(hours), "hours": [_shape_hour(hour) for hour in hours]}


def shape_workspace_use(hours: Iterable[UsageHour]) -> list[dict[str, Any]]:
    """The use of each deployment, as `DeploymentUseShape`; by name, that of the shared server first."""
    in_order = sorted(hours, key=lambda hour: hour.deployment)
    groups = groupby(in_order, key=lambda hour: hour.deployment)
    return [shape_deployment_use(name, list(group)) for name, group in groups]


def sum_use(hours: Sequence[UsageHour]) -> dict[str, Any]:
    """As `UseShape`."""
    return {
        "requests": sum(hour.requests for hour in hours),
        "pictures": sum(hour.pictures for hour in hours),
        "compute_seconds": round(sum(hour.compute_s for hour in hours), 6),
    }


def shape_log_entry(entry: LogEntry) -> dict[str, Any]:
    """As `LogEntryShape`."""
    return {"insert_id": entry.insert_id, "timestamp": entry.timestamp.isoformat(), "payload": entry.payload}


def _shape_hour(hour: UsageHour) -> dict[str, Any]:
    return {"hour": hour.hour.isoformat(), "model": hour.model, "key_id": hour.key_id, **sum_use([hour])}


def _count_hours(start: datetime, end: datetime | None) -> float | None:
    return round((end - start).total_seconds() / 3600, 6) if end else None
