"""An archive as a container: a value that travels, while the open file and its index stay in each process."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.tree import MAX_ENTRIES, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from atrous.datasets.findings import Finding


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may cost, whatever it says of itself.

    Attributes:
        entries: in the archive, links and folders too.
        names_bytes: all names of its files, and of the folders they lie in, together.
        unpacked_bytes: of the temporary file that a compressed tar becomes.
        spare_disk_bytes: left free where that file is written.
    """

    entries: int = MAX_ENTRIES
    names_bytes: int = 1 << 30
    unpacked_bytes: int = 256 << 30
    spare_disk_bytes: int = 1 << 30


DEFAULT_LIMITS = Limits()


class PositionedFile:
    """An open file that any thread may read at any place; closed when nobody holds it any more.

    So a read that is under way never finds its descriptor closed, or worse, to be another file's.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        """Own the descriptor; `path` is the archive to name in messages."""
        self._descriptor = descriptor
        self.path = path
        self.size = os.fstat(descriptor).st_size

    def __del__(self) -> None:
        os.close(self._descriptor)

    def read_at(self, position: int, size: int) -> bytes:
        """Bytes from a place on, fewer at the file's end.

        Raises:
            OSError: if the system refuses.
        """
        size = max(0, min(size, self.size - position))
        data = os.pread(self._descriptor, size, position) if size else b""
        while 0 < len(data) < size:  # one call gives less than 2 GiB
            more = os.pread(self._descriptor, size - len(data), position + len(data))
            if not more:
                break
            data += more
        return data


class Index(Protocol):
    """An open archive: where its files lie. `read` is called from several threads."""

    @property
    def names(self) -> Collection[str]:
        """Files that may be read."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Entries that may not."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file. Raises UnreadableFileError, or OSError if the system refuses."""
        ...


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive's path and how it is indexed; each process opens it at its first read.

    Attributes:
        path: the archive's file.
        stamp: its size in bytes and time of change in ns; another one at opening is another archive.
        make_index: a function of a module, so that it travels by name.
        limits: what opening may cost.
    """

    path: Path
    stamp: tuple[int, int]
    make_index: Callable[[PositionedFile, Limits], Index]
    limits: Limits

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file; nothing beyond them is unpacked.

        Raises:
            UnreadableFileError: if the archive is gone, changed or damaged there, or has no such file.
        """
        try:
            return self.open_index().read(name, limit)
        except InvalidDatasetError as error:
            raise UnreadableFileError(f"cannot be read ({error})") from error
        except OSError as error:
            raise UnreadableFileError(f"cannot be read ({error.strerror or error})") from error

    def open_index(self) -> Index:
        """The index in this process, made when it is first asked for.

        Raises:
            InvalidDatasetError: if the archive cannot be understood or has changed.
            OSError: if the system refuses.
        """
        if index := _indices.get(self):
            return index
        with _lock:
            if (index := _indices.get(self)) is None:
                index = _indices[self] = self._make_index()
            return index

    def close(self) -> None:
        """Let go of the file and the index; reads under way end well, and a later one opens the archive again."""
        _indices.pop(self, None)

    def _make_index(self) -> Index:
        file = PositionedFile(os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)), self.path)
        if read_stamp(self.path) != self.stamp:
            raise InvalidDatasetError(f"{self.path}: has changed since it was opened; start again")
        return self.make_index(file, self.limits)


def read_stamp(path: Path) -> tuple[int, int]:
    """What tells one archive at a path from a later one.

    Raises:
        OSError: if the system refuses.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns


# Files of a dataset come to a worker process one by one; they must not index the archive anew each time.
_indices: dict[Archive, Index] = {}
_lock = threading.Lock()
