"""What is said about many pictures, changed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError, NotFoundError, StoppedError
from atrous.workspace.pictures import PictureEdit, edit_picture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job


def change_metadata(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Make the edits of a job one by one; those that cannot be made are told, and the others are made.

    Returns:
        `succeeded`, `failed` and `failedItems`, which clients read.

    Raises:
        StoppedError: because the watch wished for an end.
    """
    del folder
    edits: list[dict[str, Any]] = job.payload["edits"]
    failed: list[dict[str, str]] = []
    for done, edit in enumerate(edits, start=1):
        if watch.wish() is not None:
            raise StoppedError(f"task {job.id}: stopped after {done - 1} of {len(edits)} pictures; those stay changed")
        try:
            edit_picture(ports, job.workspace, edit["picture"], PictureEdit(**edit["changes"]))
        except (InvalidInputError, NotFoundError) as error:
            failed.append({"imageId": edit["picture"], "error": str(error)})
        watch.report({"current": done, "total": len(edits)})
    return {"succeeded": len(edits) - len(failed), "failed": len(failed), "failedItems": failed}
