"""Import of a dataset by a server: packed, sent, and watched until it is imported."""

from __future__ import annotations

import time
import zipfile
from typing import TYPE_CHECKING, Any, cast

from atrous.cli.terminal import say, show_progress
from atrous.core.errors import InvalidDatasetError, InvalidInputError, NotFoundError, UnavailableError
from atrous.datasets.files.tree import open_folder
from atrous.workspace.import_report import ImportReport, read_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from atrous.cli.platform_client import Platform
    from atrous.workspace.imports import ImportOptions

PART_BYTES = 1 << 20
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0
PROJECT_TYPE = "semantic-segmentation"


def import_remotely(platform: Platform, project: str, path: Path, options: ImportOptions) -> tuple[ImportReport, int]:
    """Send a folder or an archive to a server, wait for its import, and give the report and how many were left out.

    The project is made if it is new. The report has the first hundred findings.

    Raises:
        InvalidInputError: if there is nothing to send, or an option cannot be sent.
        InvalidDatasetError: if the server cannot import it.
        UnavailableError: if the server cannot be reached, or answers with something else.
    """
    if options.class_list:
        raise InvalidInputError("--classes: is not sent to a server; put the list into the dataset as classes.csv")
    if not path.exists():
        raise InvalidDatasetError(f"{path}: is not there; give a folder, or a zip or tar archive")
    workspace = platform.find_workspace()
    _ensure_project(platform, workspace, project)
    task = platform.ask("POST", f"/{workspace}/{project}/upload/zip", _write_options(options))
    with show_progress("sending (MB)") as progress:
        platform.send_file(_read(task, "signedUrl"), _pack(path, progress))
    result = _wait(platform, f"/{workspace}/upload/zip/{_read(task, 'taskId')}")
    try:
        report = read_report(result)
        if result["findings_total"] > len(report.findings):
            say(f"the server sent the first {len(report.findings)} of {result['findings_total']} findings")
        return report, sum(result["left_out"].values())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnavailableError(f"{platform.url}: the import's report cannot be read; is this Atrous?") from error


def _ensure_project(platform: Platform, workspace: str, project: str) -> None:
    try:
        platform.ask("GET", f"/{workspace}/{project}")
    except NotFoundError:
        order = {"name": project, "type": PROJECT_TYPE, "license": "Private", "annotation": project}
        made = platform.ask("POST", f"/{workspace}/projects", order).get("id")
        if made != f"{workspace}/{project}":
            raise InvalidInputError(
                f"project {project!r}: the server made {made!r} of this name instead; give that as --project"
            ) from None


def _write_options(options: ImportOptions) -> dict[str, Any]:
    return {
        "annotationOverwrite": options.overwrite,
        "format": options.format_name,
        "fixes": sorted(options.fixes),
        "strict": options.strict,
        "unlabelled": options.unlabelled,
    }


def _read(task: dict[str, Any], key: str) -> str:
    value = task.get(key)
    if not isinstance(value, str):
        raise UnavailableError(f"the server's answer has no {key}; is this Atrous?")
    return value


def _wait(platform: Platform, path: str) -> dict[str, Any]:
    """The result of an import that is over."""
    wait_s = FIRST_WAIT_S
    with show_progress("importing") as progress:
        while True:
            status = platform.ask("GET", path)
            match status:
                case {"status": "completed", "result": dict()}:
                    return cast("dict[str, Any]", status["result"])
                case {"status": "failed"}:
                    raise InvalidDatasetError(f"the server could not import it: {status.get('error')}")
                case {"progress": {"current": int(current), "total": int(total)}} if total:
                    progress(current, total)
                case _:
                    pass
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


# Packing


def _pack(path: Path, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    """An archive as it is; a folder as a zip that is never whole anywhere here."""
    if path.is_file():
        total = path.stat().st_size
        parts = _read_parts(path)
    else:
        names = open_folder(path).files_below()
        total = sum((path / name).stat().st_size for name in names)
        parts = _zip_parts(path, names)
    sent = 0
    for part in parts:
        yield part
        sent += len(part)
        progress(sent // 10**6, max(total, sent) // 10**6)


def _read_parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def _zip_parts(folder: Path, names: list[str]) -> Iterator[bytes]:
    """Not compressed: pictures are already, and what else there is weighs little."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            # The size of a file may change until it is read, so it may be of any size.
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                for part in _read_parts(folder / name):
                    entry.write(part)
                    yield outlet.take()
    yield outlet.take()


class _Outlet:
    """What a zip is written to, piece by piece; it cannot be sought, so sizes follow the files."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def write(self, piece: bytes) -> int:
        """Keep a piece until it is taken."""
        self._pieces += piece
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""

    def take(self) -> bytes:
        """All pieces since the last time."""
        pieces = bytes(self._pieces)
        self._pieces.clear()
        return pieces
