"""Files that were sent, not read from a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.files.tree import File, Tree, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class MemoryFiles:
    """A container whose files are bytes by name; `path` is only what messages call it."""

    path: Path
    contents: Mapping[str, bytes]

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file.

        Raises:
            UnreadableFileError: if there is none of this name.
        """
        if name not in self.contents:
            raise UnreadableFileError("is not there")
        return self.contents[name][:limit]

    def close(self) -> None:
        """Nothing is held open."""


def open_memory(path: Path, contents: Mapping[str, bytes]) -> Tree:
    """Files by name as a dataset."""
    return Tree(MemoryFiles(path, contents), contents)


def file_in_memory(path: Path, name: str, data: bytes) -> File:
    """One file by itself."""
    return File(MemoryFiles(path, {name: data}), name)
