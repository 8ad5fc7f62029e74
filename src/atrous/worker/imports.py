"""The import of an archive that was uploaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from atrous.core.errors import AtrousError, ConflictError, InvalidInputError, StoppedError
from atrous.workspace.imports import import_dataset
from atrous.workspace.records import JobKind, Wish
from atrous.workspace.versions import find_project
from atrous.workspace.zip_uploads import ARCHIVE, read_import_options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.worker.watch import Watch
    from atrous.workspace.import_report import ImportReport
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job

RESULT = "result.json"
MAX_FINDINGS = 100
# Others may add classes to the project meanwhile, which is no reason to give up.
TRIES = 5


def import_zip(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Import an archive, and forget it.

    Returns:
        The report as `ImportReport.as_json` gives it, with at most 100 findings; `findings_total` tells how many.

    Raises:
        InvalidInputError: if no archive came, or it cannot be imported.
        StoppedError: because the watch wished for an end; what is imported stays.
    """
    done = folder / RESULT
    # A run that was killed after it had forgotten the archive.
    if done.is_file():
        return json.loads(done.read_text(encoding="utf-8"))
    archive = job.progress.get(ARCHIVE)
    if archive is None:
        raise InvalidInputError(f"upload {job.id}: no archive came within a day; start another upload")
    try:
        report = _import(ports, job, archive, watch)
    except StoppedError:
        if watch.wish() is Wish.CANCEL:
            _forget(ports, job, archive)
        raise
    except AtrousError:
        _forget(ports, job, archive)
        raise
    result = _shorten(report)
    folder.mkdir(parents=True, exist_ok=True)
    done.write_text(json.dumps(result), encoding="utf-8")
    _forget(ports, job, archive)
    return result


def _import(ports: Ports, job: Job, archive: str, watch: Watch) -> ImportReport:
    path = ports.blobs.path(archive)

    def progress(current: int, total: int) -> None:
        watch.report({ARCHIVE: archive, "current": current, "total": total})
        if watch.wish() is not None:
            raise StoppedError(f"upload {job.id}: stopped after {current} of {total} pictures, which stay imported")

    for left in reversed(range(TRIES)):
        find_project(ports, job.workspace, job.subject)
        try:
            return import_dataset(
                ports, job.workspace, job.subject, path, read_import_options(job.payload), progress=progress
            )
        except ConflictError:
            if not left:
                raise
        except InvalidInputError as error:
            # Where the archive lies is nobody's business but the server's.
            raise InvalidInputError(str(error).replace(str(path), "the archive")) from error
    raise AssertionError("the last try returns or raises")


def _forget(ports: Ports, job: Job, archive: str) -> None:
    """Remove an archive, unless another upload of the same bytes waits for its import."""
    others = ports.queue.list_jobs(kind=JobKind.IMPORT)
    if not any(one.progress.get(ARCHIVE) == archive and not one.state.is_final and one.id != job.id for one in others):
        ports.blobs.remove(archive)


def _shorten(report: ImportReport) -> dict[str, Any]:
    findings = [one.as_json() for one in report.findings[:MAX_FINDINGS]]
    return report.as_json() | {"findings": findings, "findings_total": len(report.findings)}
