"""Annotation jobs: pictures of a batch given to somebody to label."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atrous.core.errors import ConflictError, NotFoundError
from atrous.workspace.batches import find_batch
from atrous.workspace.projects import check_text
from atrous.workspace.records import AnnotationJob
from atrous.workspace.search import And, Condition, Field, Order, Search
from atrous.workspace.versions import find_project

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What is to be done.

    Attributes:
        batch: the id of a batch.
        labeler: the address of who labels.
        reviewer: the address of who looks at the labels.
        name: what people call it; that of its batch if empty.
        pictures: how many of the batch, in order of name; all that are in no job yet if None.
        instructions: for who labels.
    """

    batch: str
    labeler: str
    reviewer: str
    name: str = ""
    pictures: int | None = None
    instructions: str = ""


def create_annotation_job(ports: Ports, workspace: str, project_slug: str, order: JobOrder) -> AnnotationJob:
    """Give pictures of a batch that are in no job yet to somebody.

    Raises:
        NotFoundError: if there is no such project or batch.
        InvalidInputError: if a text is empty, too long or no single line.
        ConflictError: if all pictures of the batch are in jobs already.
    """
    batch = find_batch(ports, workspace, project_slug, order.batch)
    name = check_text(order.name or batch.counts.name, "job name")
    labeler = check_text(order.labeler, "labeler's address")
    reviewer = check_text(order.reviewer, "reviewer's address")
    free = And((Condition(Field.BATCH, batch.counts.name), Condition(Field.JOB, "")))
    limit = batch.counts.pictures if order.pictures is None else order.pictures
    page, _ = ports.store.search_pictures(workspace, Search(free, project_slug, Order.NAME, limit=limit))
    if not page:
        raise ConflictError(
            f"batch {batch.counts.name!r}: all of its pictures are in jobs already; choose another batch"
        )
    job = AnnotationJob(
        id=secrets.token_hex(ID_BYTES),
        workspace=workspace,
        project=project_slug,
        name=name,
        batch=batch.counts.name,
        pictures=len(page),
        labeler=labeler,
        reviewer=reviewer,
        instructions=order.instructions,
        created=ports.clock.now(),
    )
    ports.store.add_annotation_job(job)
    images = [picture.image_sha256 for _, picture in page]
    ports.store.change_pictures(workspace, project_slug, images, lambda now: replace(now, annotation_job=job.id))
    return job


def list_annotation_jobs(ports: Ports, workspace: str, project_slug: str) -> list[AnnotationJob]:
    """Oldest first.

    Raises:
        NotFoundError: if there is no such project.
    """
    find_project(ports, workspace, project_slug)
    return ports.store.list_annotation_jobs(workspace, project_slug)


def find_annotation_job(ports: Ports, workspace: str, project_slug: str, job_id: str) -> AnnotationJob:
    """A job by its id.

    Raises:
        NotFoundError: if there is no such project or job.
    """
    for job in list_annotation_jobs(ports, workspace, project_slug):
        if job.id == job_id:
            return job
    raise NotFoundError(f"job {job_id[:50]!r}: project {project_slug!r} has none of this id; /jobs lists them")
