"""What a worker and the process of a job say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from atrous.worker.watch import Work
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Wish


@dataclass(frozen=True, slots=True)
class Task:
    """All that the process of a job begins with.

    Attributes:
        set_up: called first, such as to set up the log.
        open_ports: opens the world anew: connections do not travel.
        folder: of the job's own.
    """

    set_up: Callable[[], None]
    open_ports: Callable[[], Ports]
    work: Work
    job: Job
    folder: Path


@dataclass(frozen=True, slots=True)
class Hold:
    """To the job: the worker holds it until then, by `time.monotonic`, which all processes of a machine share."""

    until_s: float


@dataclass(frozen=True, slots=True)
class Ask:
    """To the job: what is wanted of it."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class Progress:
    """From the job: how far it is."""

    progress: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """From the job, last: what it gave."""

    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """From the job, last: why it cannot be done."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """From the job, last: it ended early, as was wanted."""

    sentence: str


Outcome = Done | Failed | Stopped
