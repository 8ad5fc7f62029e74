"""Rows of jobs: a queue whose entries are leased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, case, insert, or_, select, update

from atrous.adapters.sql_store.database import SqlTable, utc, utc_or_none
from atrous.adapters.sql_store.tables import jobs
from atrous.core.errors import ConflictError
from atrous.workspace.records import Job, JobKind, JobState, Wish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class SqlQueue(SqlTable):
    """Jobs, each held by one worker at a time."""

    def add_job(self, job: Job) -> None:
        """Put a new job at the end."""
        row = {
            "id": job.id,
            "workspace": job.workspace,
            "kind": job.kind.value,
            "subject": job.subject,
            "payload": dict(job.payload),
            "state": job.state.value,
            "wish": job.wish,
            "owner": job.owner,
            "leased_until": job.leased_until,
            "attempts": job.attempts,
            "progress": dict(job.progress),
            "result": dict(job.result),
            "error": job.error,
            "created": job.created,
            "started": job.started,
            "ended": job.ended,
        }
        with self._write() as connection:
            connection.execute(insert(jobs).values(row))

    def find_job(self, workspace: str, job_id: str) -> Job | None:
        """The job, or None."""
        with self._read() as connection:
            row = connection.execute(
                select(jobs).where(jobs.c.workspace == workspace, jobs.c.id == job_id)
            ).one_or_none()
        return _read_job(row) if row else None

    def list_jobs(
        self, workspace: str | None = None, kind: JobKind | None = None, subject: str | None = None
    ) -> list[Job]:
        """Oldest first, those that are over included."""
        asked = {jobs.c.workspace: workspace, jobs.c.kind: kind and kind.value, jobs.c.subject: subject}
        conditions = [column == value for column, value in asked.items() if value is not None]
        with self._read() as connection:
            return [_read_job(row) for row in connection.execute(select(jobs).where(*conditions).order_by(jobs.c.seq))]

    def claim_job(self, owner: str, kinds: Sequence[JobKind], now: datetime, until: datetime) -> Job | None:
        """Take the oldest job that is queued or whose lease has run out, and count the attempt; None if none is."""
        is_abandoned = and_(jobs.c.state == JobState.RUNNING.value, jobs.c.leased_until < now)
        free = (
            select(jobs.c.id)
            .where(
                jobs.c.kind.in_([kind.value for kind in kinds]),
                or_(jobs.c.state == JobState.QUEUED.value, is_abandoned),
            )
            .order_by(jobs.c.seq)
            .limit(1)
        )
        # Workers ask all the time, mostly for nothing, which is not to hold up those who write.
        with self._read() as connection:
            if connection.scalar(free) is None:
                return None
        with self._write() as connection:
            job_id = connection.scalar(free.with_for_update(skip_locked=True))
            if job_id is None:
                return None
            taken = {
                "state": JobState.RUNNING.value,
                "owner": owner,
                "leased_until": until,
                "attempts": jobs.c.attempts + 1,
                "started": case((jobs.c.started.is_(None), now), else_=jobs.c.started),
            }
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(taken))
            return _read_job(connection.execute(select(jobs).where(jobs.c.id == job_id)).one())

    def renew_lease(self, job_id: str, owner: str, until: datetime, progress: Mapping[str, Any] | None) -> Wish | None:
        """Hold a job longer and tell how far it is.

        Progress counts by its number `done` (or `current`): where that is less than before, what was told before
        stays; where it is more, the count of attempts starts again. So a job that dies at the same place each time is
        not tried for ever.

        Raises:
            ConflictError: if somebody else holds it now.
        """
        with self._write() as connection:
            row = _find_held(connection, job_id, owner)
            values: dict[str, Any] = {"leased_until": until}
            if progress is not None:
                values |= _advance(row, progress)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))
        return Wish(row.wish) if row.wish else None

    def release_job(self, job_id: str, owner: str) -> None:
        """Put a job back, to be taken at once.

        Raises:
            ConflictError: if somebody else holds it now.
        """
        values = {"state": JobState.QUEUED.value, "owner": "", "leased_until": None, "attempts": 0}
        with self._write() as connection:
            _find_held(connection, job_id, owner)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))

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
        """Record how a job ended.

        Raises:
            ConflictError: if somebody else holds it now.
        """
        values = {"state": state.value, "ended": now, "result": dict(result or {}), "error": error}
        with self._write() as connection:
            _find_held(connection, job_id, owner)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(values | {"leased_until": None}))

    def ask_job(self, workspace: str, job_id: str, wish: Wish, now: datetime) -> Job | None:
        """Say what is wanted of a job, and give it; one that nobody runs yet is cancelled at once.

        Who wanted it cancelled is not overruled. None if there is no such job or it is over.
        """
        place = jobs.c.workspace == workspace, jobs.c.id == job_id
        with self._write() as connection:
            row = connection.execute(select(jobs).where(*place).with_for_update()).one_or_none()
            if row is None or JobState(row.state).is_final:
                return None
            values: dict[str, Any] = {"wish": Wish.CANCEL.value if row.wish == Wish.CANCEL.value else wish.value}
            if row.state == JobState.QUEUED.value:
                values |= {"state": JobState.CANCELLED.value, "ended": now}
            connection.execute(update(jobs).where(*place).values(values))
            return _read_job(connection.execute(select(jobs).where(*place)).one())


def _find_held(connection: Connection, job_id: str, owner: str) -> Row[Any]:
    held = jobs.c.id == job_id, jobs.c.owner == owner, jobs.c.state == JobState.RUNNING.value
    row = connection.execute(select(jobs).where(*held).with_for_update()).one_or_none()
    if row is None:
        raise ConflictError(f"job {job_id}: is held by another worker or over; let go of it")
    return row


def _advance(row: Row[Any], progress: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that change with what is told of a job."""
    before, now = _measure(row.progress), _measure(progress)
    if now < before:
        return {}
    return {"progress": dict(progress)} | ({"attempts": 1} if now > before else {})


def _measure(progress: Mapping[str, Any]) -> float:
    # Clients read `current` of some kinds.
    return progress.get("done", progress.get("current", -1))


def _read_job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        workspace=row.workspace,
        kind=JobKind(row.kind),
        subject=row.subject,
        created=utc(row.created),
        payload=row.payload,
        state=JobState(row.state),
        wish=Wish(row.wish) if row.wish else None,
        owner=row.owner,
        leased_until=utc_or_none(row.leased_until),
        attempts=row.attempts,
        progress=row.progress,
        result=row.result,
        error=row.error,
        started=utc_or_none(row.started),
        ended=utc_or_none(row.ended),
    )
