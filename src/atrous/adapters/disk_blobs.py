"""Bytes by their sha256, as files `ab/abcdef...` below one folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import timedelta


class DiskBlobs:
    """Blobs on local disk. A blob is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Keep bytes and give their sha256.

        Raises:
            StorageError: if the disk refuses.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            self._keep(sha256, lambda draft: draft.write_bytes(data))
        except OSError as error:
            raise StorageError(
                f"{self._folder}: cannot be written ({error.strerror}); free space and run the command again"
            ) from error
        return sha256

    def put_file(self, path: Path) -> str:
        """Keep a file's bytes, however many, and give their sha256.

        Raises:
            StorageError: if the disk refuses.
        """
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            self._keep(sha256, lambda draft: shutil.copyfile(path, draft))
        except OSError as error:
            raise StorageError(
                f"{self._folder}: cannot be written ({error.strerror}); free space and try again"
            ) from error
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes.

        Raises:
            NotFoundError: if there are none.
        """
        return self.path(sha256).read_bytes()

    def path(self, sha256: str) -> Path:
        """The file that holds the bytes, to be read only.

        Raises:
            NotFoundError: if there is none.
        """
        path = self._place(sha256)
        if not path.is_file():
            raise NotFoundError(f"{path}: this file of the store is missing; restore it from a backup or import again")
        return path

    def verify(self, sha256: str) -> bool:
        """Whether the bytes are still those that were put.

        Raises:
            NotFoundError: if there are none.
        """
        with self.path(sha256).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def has(self, sha256: str) -> bool:
        """Whether there are bytes of this hash."""
        return self._place(sha256).is_file()

    def list(self) -> Iterator[str]:
        """The sha256 of all that is kept, in no order."""
        return (path.name for path in self._folder.glob("??/*") if not path.name.startswith("."))

    def find_age(self, sha256: str, now: datetime) -> timedelta | None:
        """How long ago they were last put; None if there are none."""
        try:
            return now - datetime.fromtimestamp(self._place(sha256).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def remove(self, sha256: str) -> None:
        """Forget bytes, if there are any of this hash."""
        self._place(sha256).unlink(missing_ok=True)

    def _keep(self, sha256: str, write: Callable[[Path], object]) -> None:
        place = self._place(sha256)
        try:
            # Young again, so that nobody clears it away as forgotten before a row names it.
            os.utime(place)
        except FileNotFoundError:
            with draft_beside(place) as draft:
                write(draft)

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


@contextmanager
def draft_beside(path: Path) -> Generator[Path]:
    """A file to be written, which takes the place of `path` once that is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
