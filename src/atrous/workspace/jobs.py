"""Jobs: how they are put into the queue and found again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from atrous.workspace.records import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import JobKind

JOB_ID_BYTES = 8


def add_job(
    ports: Ports,
    kind: JobKind,
    workspace: str,
    subject: str,
    payload: Mapping[str, Any] | None = None,
    *,
    job_id: str = "",
) -> Job:
    """Put a new job at the end of the queue.

    Args:
        ports: the world.
        kind: what is to be done.
        workspace: whose job it is.
        subject: what it is about; with workspace and kind, how to find it.
        payload: all that the work needs to know beside, as plain values.
        job_id: where the job is to be known before it is there; drawn if empty.
    """
    job = Job(
        id=job_id or secrets.token_hex(JOB_ID_BYTES),
        workspace=workspace,
        kind=kind,
        subject=subject,
        created=ports.clock.now(),
        payload=payload or {},
    )
    ports.queue.add_job(job)
    return job


def find_last_job(ports: Ports, kind: JobKind, workspace: str, subject: str) -> Job | None:
    """The newest job about a subject, over or not; None if there was none."""
    jobs = ports.queue.list_jobs(workspace, kind, subject)
    return jobs[-1] if jobs else None
