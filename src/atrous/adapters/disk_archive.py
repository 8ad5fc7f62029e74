"""A backup on disk: blobs by their sha256, and a manifest that names them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.adapters.disk_blobs import DiskBlobs, draft_beside
from atrous.core.errors import ConflictError, NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Generator

MARK = "ATROUS_BACKUP"
MARK_TEXT = "A backup of Atrous; `atrous restore` reads it. Do not change it.\n"
MANIFEST = "manifest.json"


class DiskArchive:
    """A backup in a folder; it is that of the manifest, which is replaced in one step."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self.blobs = DiskBlobs(folder / "blobs")
        self._folder = folder

    def read_manifest(self) -> bytes | None:
        """The manifest; None before the first backup was finished."""
        try:
            return (self._folder / MANIFEST).read_bytes()
        except FileNotFoundError:
            return None

    def write_manifest(self, content: bytes) -> None:
        """Make this the backup that the folder holds.

        Raises:
            StorageError: if the disk refuses.
        """
        try:
            with draft_beside(self._folder / MANIFEST) as draft, draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _refused(self._folder, error) from error

    @contextmanager
    def open_draft(self) -> Generator[Path]:
        """A folder for what is being written, gone afterwards."""
        try:
            draft = Path(tempfile.mkdtemp(dir=self._folder, prefix=".draft-"))
        except OSError as error:
            raise _refused(self._folder, error) from error
        try:
            yield draft
        except OSError as error:
            raise _refused(self._folder, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def write_archive(folder: Path) -> Generator[DiskArchive]:
    """Open a backup to be written, new or to be brought up to date, for this process alone.

    Raises:
        ConflictError: if the folder holds something else, or another process writes it.
        StorageError: if the disk refuses.
    """
    try:
        if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
            raise ConflictError(f"{folder}: holds something else than a backup of Atrous; name a new or empty folder")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / MARK).write_text(MARK_TEXT)
        lock = (folder / MARK).open("rb+")
    except OSError as error:
        raise _refused(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConflictError(f"{folder}: another backup is being written there; wait for it") from error
        for stale in folder.glob(".draft-*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield DiskArchive(folder)


def read_archive(folder: Path) -> DiskArchive:
    """Open a finished backup.

    Raises:
        NotFoundError: if there is none.
    """
    if not (folder / MANIFEST).is_file():
        raise NotFoundError(f"{folder}: holds no finished backup of Atrous; name the folder given to `atrous backup`")
    return DiskArchive(folder)


def _refused(folder: Path, error: OSError) -> StorageError:
    return StorageError(f"{folder}: cannot be written ({error.strerror}); free space and try again")
