"""A version made by the process that asks for it, and by a worker if that process dies."""

from __future__ import annotations

import secrets
import shutil
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atrous.core.errors import AtrousError, StoppedError
from atrous.worker.generation import make_version
from atrous.workspace.records import JobState
from atrous.workspace.versions import fail_version, make_job, start_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Version, Wish

LEASE = timedelta(minutes=1)
RENEW_S = 2.0


def make_version_here(
    ports: Ports,
    workspace: str,
    project: str,
    settings: Mapping[str, Any],
    *,
    home: Path,
    name: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Version:
    """Make a version of a project and give it ready.

    Args:
        ports: the world.
        workspace: owner of the project.
        project: the project.
        settings: in the form of `datasets/version_settings.py`.
        home: the home, where jobs have their folders.
        name: what people call the version.
        progress: told how many of how many pictures are looked at or made.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if the settings cannot be, or leave no labelled picture.
        AtrousError: why it cannot be made.
    """
    version = start_version(ports, workspace, project, settings, name=name)
    job = _hold(ports, version)
    folder = home / "jobs" / job.id
    try:
        ready = make_version(ports, version, folder, _Holder(ports, job, progress))
    except AtrousError as error:
        fail_version(ports, workspace, version.id, str(error))
        state = JobState.CANCELLED if isinstance(error, StoppedError) else JobState.FAILED
        ports.queue.end_job(job.id, job.owner, state, ports.clock.now(), error=str(error))
        raise
    except BaseException:
        ports.queue.release_job(job.id, job.owner)
        raise
    ports.queue.end_job(job.id, job.owner, JobState.DONE, ports.clock.now())
    shutil.rmtree(folder, ignore_errors=True)
    return ready


def _hold(ports: Ports, version: Version) -> Job:
    job = make_job(ports, version)
    owner = f"foreground-{secrets.token_hex(8)}"
    held = replace(
        job,
        state=JobState.RUNNING,
        owner=owner,
        leased_until=job.created + LEASE,
        attempts=1,
        started=job.created,
    )
    ports.queue.add_job(held)
    return held


class _Holder:
    """Follows the work and keeps the job's lease."""

    def __init__(self, ports: Ports, job: Job, progress: Callable[[int, int], None] | None) -> None:
        self._ports, self._job, self._progress = ports, job, progress
        self._wish: Wish | None = None
        self._renewed_s = time.monotonic()

    def report(self, progress: Mapping[str, Any]) -> None:
        if self._progress:
            self._progress(progress["done"], progress["total"])
        if time.monotonic() - self._renewed_s > RENEW_S:
            self._renewed_s = time.monotonic()
            until = self._ports.clock.now() + LEASE
            self._wish = self._ports.queue.renew_lease(self._job.id, self._job.owner, until, progress)

    def wish(self) -> Wish | None:
        return self._wish
