"""Local copies of blobs that lie elsewhere: as many bytes as are granted, what was used last stays."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING

from atrous.adapters.disk_blobs import draft_beside
from atrous.core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# After an eviction there is room for a while; looking through the folder costs more than a blob.
KEPT_SHARE = 0.9
CHECKS_PER_LIMIT = 20
# Whoever was given a path needs time to open it.
SAFE_S = 3600


class BlobCache:
    """Files by their sha256, shared by the processes of a machine.

    It may hold more than its limit while everything in it was asked for within the last hour.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._added_bytes = limit_bytes
        self._lock = threading.Lock()

    def find(self, sha256: str) -> Path | None:
        """The local file, if there is one; it is safe for the next hour."""
        place = self._folder / sha256[:2] / sha256
        try:
            os.utime(place)
        except FileNotFoundError:
            return None
        return place

    def add(self, sha256: str, chunks: Iterable[bytes]) -> Path:
        """Keep what comes, once it has proved to be what it is called.

        Raises:
            StorageError: if it is something else, or the disk refuses.
        """
        place = self._folder / sha256[:2] / sha256
        digest = hashlib.sha256()
        size = 0
        try:
            with draft_beside(place) as draft:
                with draft.open("wb") as file:
                    for chunk in chunks:
                        digest.update(chunk)
                        size += file.write(chunk)
                if digest.hexdigest() != sha256:
                    raise StorageError(f"blob {sha256}: was altered in its storage; restore it from a backup")
        except OSError as error:
            raise StorageError(f"{self._folder}: cannot be written ({error.strerror}); free space") from error
        self._make_room(size)
        return place

    def remove(self, sha256: str) -> None:
        """Forget a copy."""
        (self._folder / sha256[:2] / sha256).unlink(missing_ok=True)

    def _make_room(self, added_bytes: int) -> None:
        with self._lock:
            self._added_bytes += added_bytes
            if self._added_bytes * CHECKS_PER_LIMIT < self._limit_bytes:
                return
            self._added_bytes = 0
            files = sorted(self._list_files())
            excess = sum(size for _, size, _ in files) - self._limit_bytes
            if excess <= 0:
                return
            excess += int(self._limit_bytes * (1 - KEPT_SHARE))
            safe_since = time.time() - SAFE_S
            for used, size, path in files:
                if excess <= 0 or used > safe_since:
                    return
                path.unlink(missing_ok=True)
                excess -= size

    def _list_files(self) -> list[tuple[float, int, Path]]:
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("??/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found.append((status.st_mtime, status.st_size, path))
        return found
