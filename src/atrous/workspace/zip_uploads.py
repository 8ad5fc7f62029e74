"""Datasets that are uploaded as one archive: announced, received, then imported by a worker.

From the announcement until its archive is there, no worker holds the import's job, but `UPLOADER`. Where no archive
comes in time, a worker finds the job without one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError
from atrous.datasets.fixes import Fix
from atrous.datasets.formats import AUTO, FORMATS
from atrous.datasets.splits import Split
from atrous.workspace.imports import ImportOptions
from atrous.workspace.jobs import JOB_ID_BYTES
from atrous.workspace.picture_marks import tidy_batch, tidy_tags
from atrous.workspace.records import Job, JobKind, JobState
from atrous.workspace.versions import find_project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atrous.workspace.ports import Ports

UPLOADER = "upload"
TIME_TO_UPLOAD = timedelta(days=1)
DEFAULT_BATCH = "Zip Upload"
ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class ZipOptions:
    """What is asked of the import of an archive; see ImportOptions."""

    overwrite: bool = False
    split: Split | None = None
    batch: str = ""
    tags: Sequence[str] = ()
    format_name: str = AUTO
    fixes: Sequence[str] = ()
    strict: bool = False
    unlabelled: bool = True


def start_zip_upload(ports: Ports, workspace: str, project_slug: str, options: ZipOptions) -> Job:
    """Announce an archive; it has to come within a day.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if an option cannot be.
    """
    find_project(ports, workspace, project_slug)
    now = ports.clock.now()
    job = Job(
        id=secrets.token_hex(JOB_ID_BYTES),
        workspace=workspace,
        kind=JobKind.IMPORT,
        subject=project_slug,
        created=now,
        payload=_write_options(options),
        state=JobState.RUNNING,
        owner=UPLOADER,
        leased_until=now + TIME_TO_UPLOAD,
    )
    ports.queue.add_job(job)
    return job


def find_zip_upload(ports: Ports, workspace: str, task_id: str) -> Job:
    """The job of an upload.

    Raises:
        NotFoundError: if there is none of this id.
    """
    job = ports.queue.find_job(workspace, task_id)
    if job is None or job.kind is not JobKind.IMPORT:
        raise NotFoundError(
            f"upload {task_id[:50]!r}: does not exist; start one with POST /WORKSPACE/PROJECT/upload/zip"
        )
    return job


def expect_archive(ports: Ports, workspace: str, task_id: str) -> None:
    """Let an upload pass whose archive has not come yet.

    Raises:
        NotFoundError: if there is none of this id.
        ConflictError: if its archive is there already, or too late.
    """
    if not is_awaited(find_zip_upload(ports, workspace, task_id)):
        raise ConflictError(f"upload {task_id}: its archive came already, or too late; start another upload")


def is_awaited(job: Job) -> bool:
    """Whether an upload's archive has not come yet and may still come."""
    return job.owner == UPLOADER and job.state is JobState.RUNNING


def receive_archive(ports: Ports, workspace: str, task_id: str, path: Path) -> None:
    """Keep the archive of an upload, which a worker may import from then on.

    Raises:
        NotFoundError: if there is no such upload.
        ConflictError: if its archive is there already, or too late.
        StorageError: if the disk refuses.
    """
    expect_archive(ports, workspace, task_id)
    progress = {ARCHIVE: ports.blobs.put_file(path), "bytes": path.stat().st_size}
    ports.queue.renew_lease(task_id, UPLOADER, ports.clock.now() + TIME_TO_UPLOAD, progress)
    ports.queue.release_job(task_id, UPLOADER)


def read_import_options(payload: Mapping[str, Any]) -> ImportOptions:
    """The options of an upload's import, as its job has them."""
    return ImportOptions(
        format_name=payload["format"],
        fixes=frozenset(Fix(name) for name in payload["fixes"]),
        overwrite=payload["overwrite"],
        strict=payload["strict"],
        unlabelled=payload["unlabelled"],
        split=Split(payload["split"]) if payload["split"] else None,
        batch=payload["batch"],
        tags=tuple(payload["tags"]),
    )


def _write_options(options: ZipOptions) -> dict[str, Any]:
    if options.format_name not in {AUTO, *FORMATS}:
        raise InvalidInputError(f"format {options.format_name[:50]!r}: use {AUTO}, {', '.join(FORMATS)}")
    for name in options.fixes:
        if name not in set(Fix):
            raise InvalidInputError(f"fix {name[:50]!r}: use one of {', '.join(Fix)}")
    return {
        "format": options.format_name,
        "fixes": list(options.fixes),
        "overwrite": options.overwrite,
        "strict": options.strict,
        "unlabelled": options.unlabelled,
        "split": options.split and options.split.value,
        "batch": tidy_batch(options.batch) or DEFAULT_BATCH,
        "tags": list(tidy_tags(options.tags)),
    }
