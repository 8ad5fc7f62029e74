"""Bytes by their sha256, as files `ab/abcdef...` below one folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from atrous.core.errors import NotFoundError, StorageError


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
        path = self._place(sha256)
        if not path.is_file():
            try:
                _write_whole(path, data)
            except OSError as error:
                raise StorageError(
                    f"{self._folder}: cannot be written ({error.strerror}); free space and run the command again"
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

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def _write_whole(path: Path, data: bytes) -> None:
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
