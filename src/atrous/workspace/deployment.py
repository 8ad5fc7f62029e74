"""A dedicated deployment: a server of its own for some models of a workspace, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class DeploymentState(StrEnum):
    """What a deployment is now: not there yet, answering, put aside, past its time, or unable to run."""

    PENDING = "pending"
    READY = "ready"
    PAUSED = "paused"
    EXPIRED = "expired"
    FAILED = "failed"


class DeploymentWish(StrEnum):
    """What a deployment is to be; hosts bring it there."""

    RUN = "run"
    PAUSE = "pause"
    EXPIRE = "expire"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A private endpoint: what was ordered, and what the host that keeps it last told.

    Attributes:
        name: unique in the whole installation, as it is part of addresses.
        machine_type: a name of the operator's table of machine types.
        models: pinned, by the ids that they are asked by, such as `road/1`; others of the workspace are loaded when
            they are asked.
        expires: when it is stopped; never if None.
        delete_on_expiration: whether it is then deleted rather than kept as expired.
        inference_version: what its creator asked for; told back, not acted upon.
        wish: what it is to be.
        revision: grows with each change of what it serves.
        state: what it is.
        message: why it is so, one sentence; empty if there is nothing to say.
        address: where it answers, such as `http://127.0.0.1:40123`; empty while it does not.
        served_revision: that of the process at `address`.
        owner: the host that keeps it until `leased_until`; another one may take it after that.
        restarts: how often its process died since it was last ordered to run.
        changed: when state last became another one.
    """

    name: str
    workspace: str
    machine_type: str
    creator_email: str
    created: datetime
    models: tuple[str, ...] = ()
    expires: datetime | None = None
    delete_on_expiration: bool = True
    inference_version: str = "latest"
    wish: DeploymentWish = DeploymentWish.RUN
    revision: int = 1
    state: DeploymentState = DeploymentState.PENDING
    message: str = ""
    address: str = ""
    served_revision: int = 0
    owner: str = ""
    leased_until: datetime | None = None
    restarts: int = 0
    changed: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeploymentReport:
    """What a host tells of a deployment that it keeps; the fields are those of `Deployment`."""

    state: DeploymentState
    message: str = ""
    address: str = ""
    served_revision: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class UsageHour:
    """What one key asked of one model in one hour.

    Attributes:
        deployment: its name; empty for the shared server.
        model: id that the model was asked by.
        key_id: of the key; empty where none was needed.
        hour: its beginning, in UTC.
        requests: answered with a prediction.
        pictures: in them.
        compute_s: seconds that these were worked on, waiting left out.
    """

    workspace: str
    deployment: str
    model: str
    key_id: str
    hour: datetime
    requests: int
    pictures: int
    compute_s: float


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line that a deployment logged.

    Attributes:
        insert_id: unique; later lines have greater ones in the order of text.
        payload: the line.
    """

    insert_id: str
    timestamp: datetime
    payload: str
