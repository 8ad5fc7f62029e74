"""What one worker records in the queue: which jobs it holds, and how they end."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atrous.worker.endings import record_end
from atrous.workspace.records import JobKind, JobState, Wish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job

logger = logging.getLogger(__name__)

HOST_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Pace:
    """Times and tries.

    Attributes:
        lease_s: how long after a worker's death another one may take its jobs.
        renew_s: between two renewals, which also bring wishes: a job that is cancelled ends so much later.
        poll_s: between two looks into the queue.
        grace_s: that a job has for a checkpoint when its worker ends; less than what containers are given.
        attempts: deaths of a job's process without any progress between them, until it is given up.
        pause_s: before a job whose process died is tried again, longer each time.
    """

    lease_s: float = 15
    renew_s: float = 0.8
    poll_s: float = 0.5
    grace_s: float = 8
    attempts: int = 5
    pause_s: float = 2


DEFAULT_PACE = Pace()


class Ledger:
    """The jobs that one worker holds.

    What a job is about is brought in line before the job itself ends: who dies in between leaves a job to be taken
    again, not one that seems to be over.

    All raise ConflictError where somebody else holds the job by now.
    """

    def __init__(self, ports: Ports, home: Path, pace: Pace) -> None:
        self._ports = ports
        self._home = home
        self._pace = pace
        self._owner = f"{socket.gethostname()[:HOST_LENGTH]}-{os.getpid()}-{secrets.token_hex(4)}"

    def claim(self, kinds: Sequence[JobKind]) -> Job | None:
        """Take the oldest job of these kinds, if there is one."""
        return self._ports.queue.claim_job(self._owner, kinds, self._ports.clock.now(), self._after(self._pace.lease_s))

    def renew(self, job: Job, progress: Mapping[str, Any] | None) -> Wish | None:
        """Hold a job longer, and give what a person wants of it."""
        return self._ports.queue.renew_lease(job.id, self._owner, self._after(self._pace.lease_s), progress)

    def find_obstacle(self, job: Job) -> str | None:
        """Why a job that was claimed is not to be tried again; None if it is."""
        if job.attempts <= self._pace.attempts:
            return None
        return _say_given_up(job, "its workers died with it")

    def record_done(self, job: Job, result: Mapping[str, Any]) -> None:
        """A job gave its result."""
        self._ports.queue.end_job(job.id, self._owner, JobState.DONE, self._ports.clock.now(), result=result)
        self._clear(job, JobState.DONE)
        logger.info("job done: %s %s", job.kind, job.subject, extra={"job": job.id})

    def record_failed(self, job: Job, sentence: str) -> None:
        """A job cannot be done."""
        self._conclude(job, JobState.FAILED, sentence)
        logger.warning("job failed: %s %s: %s", job.kind, job.subject, sentence, extra={"job": job.id})

    def record_cancelled(self, job: Job) -> None:
        """A job has been ended because a person wanted it."""
        self._conclude(job, JobState.CANCELLED, None)
        logger.info("job cancelled: %s %s", job.kind, job.subject, extra={"job": job.id})

    def record_death(self, job: Job, how: str) -> float:
        """The process of a job died: give how many seconds it is left alone, 0 if it is given up.

        After that, whoever comes first takes it, this worker perhaps.
        """
        logger.error("job died: %s %s %s", job.kind, job.subject, how, extra={"job": job.id})
        attempts = (self._ports.queue.find_job(job.workspace, job.id) or job).attempts
        if attempts >= self._pace.attempts:
            self.record_failed(job, _say_given_up(job, f"its process {how}"))
            return 0
        pause_s = self._pace.pause_s * attempts
        self._ports.queue.renew_lease(job.id, self._owner, self._after(pause_s), None)
        return pause_s

    def give_back(self, job: Job) -> None:
        """A job waits for a worker again."""
        record_end(self._ports, job, JobState.QUEUED)
        self._ports.queue.release_job(job.id, self._owner)
        logger.info("job given back: %s %s", job.kind, job.subject, extra={"job": job.id})

    def find_folder(self, job: Job) -> Path:
        """Where a job keeps what it goes on with; that of a training is known to the command line too."""
        return self._home / "runs" / job.subject if job.kind is JobKind.TRAIN else self._home / "jobs" / job.id

    def _conclude(self, job: Job, state: JobState, error: str | None) -> None:
        self._clear(job, state)
        record_end(self._ports, job, state, error)
        self._ports.queue.end_job(job.id, self._owner, state, self._ports.clock.now(), error=error)

    def _clear(self, job: Job, state: JobState) -> None:
        # A training that failed can be resumed, and one that is done has its log of epochs there.
        if job.kind is not JobKind.TRAIN or state is JobState.CANCELLED:
            shutil.rmtree(self.find_folder(job), ignore_errors=True)

    def _after(self, seconds: float) -> datetime:
        return self._ports.clock.now() + timedelta(seconds=seconds)


def _say_given_up(job: Job, how: str) -> str:
    return (
        f"{job.kind} job of {job.subject}: given up, as {how} again and again; see the worker's log, and whether the "
        "memory suffices"
    )
