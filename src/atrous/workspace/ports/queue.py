"""Jobs of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from atrous.workspace.records import Job, JobKind, JobState, Wish


class Queue(Protocol):
    """Jobs, each held by one worker at a time.

    A worker holds a job by a lease that it renews; once a lease has run out, any worker may take the job. A worker that
    comes back later is told so by ConflictError, whatever it asks for.
    """

    def add_job(self, job: Job) -> None:
        """Put a new job at the end."""
        ...

    def find_job(self, workspace: str, job_id: str) -> Job | None:
        """The job, or None."""
        ...

    def list_jobs(
        self, workspace: str | None = None, kind: JobKind | None = None, subject: str | None = None
    ) -> list[Job]:
        """Oldest first, those that are over included."""
        ...

    def claim_job(self, owner: str, kinds: Sequence[JobKind], now: datetime, until: datetime) -> Job | None:
        """Take the oldest job that is queued or whose lease has run out, and count the attempt; None if none is."""
        ...

    def renew_lease(self, job_id: str, owner: str, until: datetime, progress: Mapping[str, Any] | None) -> Wish | None:
        """Hold a job longer and tell how far it is.

        Progress counts by its number `done` (or `current`): where that is less than before, what was told before stays;
        where it is more, the count of attempts starts again.

        Gives what a person wants of the job. Raises ConflictError if somebody else holds it now.
        """
        ...

    def release_job(self, job_id: str, owner: str) -> None:
        """Put a job back, to be taken at once. Raises ConflictError if somebody else holds it now."""
        ...

    def end_job(
        self,
        job_id: str,
        owner: str,
        state: JobState,
        now: datetime,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Record how a job ended. Raises ConflictError if somebody else holds it now."""
        ...

    def ask_job(self, workspace: str, job_id: str, wish: Wish, now: datetime) -> Job | None:
        """Say what is wanted of a job, and give it; one that nobody runs yet is cancelled at once.

        Who wanted it cancelled is not overruled. None if there is no such job or it is over.
        """
        ...
