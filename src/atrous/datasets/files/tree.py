"""A dataset's files by name, whether they lie in a folder or in an archive."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

# Larger files are no pictures or lists of a dataset; reading one would fill the memory.
MAX_FILE_BYTES = 2 << 30
# A list of more files would fill the memory too.
MAX_ENTRIES = 5_000_000
# What archivers of macOS and its file manager leave beside the data.
FOREIGN_NAMES = frozenset({"__MACOSX", "Icon\r"})
MAX_SHOWN_CHARACTERS = 200


class UnreadableFileError(Exception):
    """A file that cannot be read; the text is the reason, without the file's name."""


class Container(Protocol):
    """Where bytes come from; safe to use from several threads, and a value that travels to worker processes."""

    @property
    def path(self) -> Path:
        """The folder or the archive's file."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file. Raises UnreadableFileError."""
        ...

    def close(self) -> None:
        """Let go of what is held open; a later read opens it again."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """One file of a dataset; `name` is its POSIX path inside the container."""

    container: Container
    name: str

    def read(self) -> bytes:
        """All of its bytes.

        Raises:
            UnreadableFileError: if the system or the archive refuses, or it is larger than any dataset's file.
        """
        data = self.container.read(self.name, MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UnreadableFileError(f"is larger than {MAX_FILE_BYTES >> 30} GiB")
        return data

    def read_head(self, size: int) -> bytes:
        """Its first bytes, fewer if it is shorter.

        Raises:
            UnreadableFileError: if the system or the archive refuses.
        """
        return self.container.read(self.name, size)

    @property
    def base_name(self) -> str:
        """The name without folders."""
        return self.name.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without folders and suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The suffix with its dot, in lower case."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def place(self) -> str:
        """The whole path, for messages."""
        return f"{self.container.path}/{self.name}"


class Tree:
    """The files of a container, or of one folder in it; names are POSIX paths relative to that folder.

    Hidden files and what macOS leaves in archives are not part of it. As a context manager it closes its container.
    """

    def __init__(
        self, container: Container, names: Iterable[str], *, findings: Iterable[Finding] = (), prefix: str = ""
    ) -> None:
        """`names` are relative to `prefix`, which is empty or ends with a slash."""
        self.container = container
        self.prefix = prefix
        self.findings = tuple(findings)
        self._names = sorted(name for name in names if is_visible(name))
        self._present = frozenset(self._names)
        self._files: defaultdict[str, list[str]] = defaultdict(list)
        folders: defaultdict[str, set[str]] = defaultdict(set)
        for name in self._names:
            folder, _, base_name = name.rpartition("/")
            self._files[folder].append(base_name)
            while folder:
                parent, _, last = folder.rpartition("/")
                if last in folders[parent]:
                    break
                folders[parent].add(last)
                folder = parent
        self._folders = {parent: sorted(children) for parent, children in folders.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what the container holds open."""
        self.container.close()

    @property
    def place(self) -> str:
        """The whole path of the folder, for messages."""
        return f"{self.container.path}/{self.prefix}".rstrip("/")

    def files(self, folder: str = "") -> list[str]:
        """Names of the files directly in a folder, with the folder, in order."""
        return [_join(folder, name) for name in self._files.get(folder, ())]

    def folders(self, folder: str = "") -> list[str]:
        """Folders directly in a folder, with the folder, in order."""
        return [_join(folder, name) for name in self._folders.get(folder, ())]

    def files_below(self, folder: str = "") -> list[str]:
        """Names of all files in a folder and the folders in it, in order."""
        if not folder:
            return list(self._names)
        # "0" is the character after "/".
        return self._names[bisect_left(self._names, f"{folder}/") : bisect_left(self._names, f"{folder}0")]

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self._present

    def file(self, name: str) -> File:
        """The file of this name, which may be missing."""
        return File(self.container, self.prefix + name)

    def subtree(self, folder: str) -> Tree:
        """What lies in a folder, as a tree of its own."""
        inside = (name.removeprefix(f"{folder}/") for name in self.files_below(folder))
        return Tree(self.container, inside, findings=self.findings, prefix=f"{self.prefix}{folder}/")


@dataclass(frozen=True, slots=True)
class Folder:
    """A container on disk; links inside it are followed, since it is the user's own."""

    path: Path

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file.

        Raises:
            UnreadableFileError: if the system refuses.
        """
        try:
            with (self.path / name).open("rb") as file:
                # Python reserves as many bytes as it is asked for.
                return file.read(min(limit, os.fstat(file.fileno()).st_size + 1))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise UnreadableFileError(f"cannot be read ({reason or error})") from error

    def close(self) -> None:
        """Nothing is held open."""


def open_folder(path: Path) -> Tree:
    """List a folder on disk; folders and names in it that cannot be used are findings.

    Raises:
        InvalidDatasetError: if it holds more than MAX_ENTRIES files and folders.
    """
    walk = _Walk(path)
    walk.run()
    return Tree(Folder(path), walk.names, findings=walk.findings)


class _Walk:
    """Lists what lies below a folder, through links too, except those that lead back up."""

    def __init__(self, root: Path) -> None:
        self.names: list[str] = []
        self.findings: list[Finding] = []
        self._root = root
        self._count = 0

    def run(self) -> None:
        # A stack of our own: folders may lie deeper than Python recurses.
        waiting = [("", frozenset[tuple[int, int]]())]
        while waiting:
            folder, above = waiting.pop()
            try:
                waiting.extend(self._list(folder, above))
            except OSError as error:
                reason = f"is a folder that cannot be listed ({error.strerror or error})"
                self.findings.append(
                    Finding(Kind.UNREADABLE, show_name(folder or "."), reason, "let it be read, or take it away")
                )

    def _list(self, folder: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, frozenset[tuple[int, int]]]]:
        """Folders in a folder, each with those that it lies in; files become names."""
        path = self._root / folder
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return
        with os.scandir(path) as entries:
            for entry in entries:
                name = _join(folder, entry.name)
                if not is_visible(entry.name) or not self._may_use(name):
                    continue
                if _is_folder(entry):
                    yield name, above | {identity}
                else:
                    self.names.append(name)

    def _may_use(self, name: str) -> bool:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise InvalidDatasetError(
                f"{self._root}: holds more than {MAX_ENTRIES:,} files; split it into several datasets"
            )
        if is_text(name):
            return True
        self.findings.append(Finding(Kind.UNREADABLE, show_name(name), "has a name that is not UTF-8", "rename it"))
        return False


def is_visible(name: str) -> bool:
    """Whether no part of a name is hidden or left behind by macOS."""
    parts = name.split("/")
    return not any(part.startswith(".") for part in parts) and FOREIGN_NAMES.isdisjoint(parts)


def is_text(name: str) -> bool:
    """Whether a name is text, not bytes of another encoding that Python smuggles through as surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def show_name(name: str) -> str:
    """A name as a message may show it: on one line, not too long, and in characters that any terminal can take."""
    shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in name[: MAX_SHOWN_CHARACTERS + 1])
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}..."


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself, say: reading it will tell why


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
