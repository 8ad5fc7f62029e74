"""Where an export goes: a folder or a zip file that exists only once it is complete.

Everything is written to NAME.part beside it, which becomes NAME at the end and is removed if anything fails.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

from atrous.core.errors import ConflictError, InvalidInputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

ZIP_SUFFIX = ".zip"
# Pictures are compressed already; trying again costs time and wins nothing.
TEXT_SUFFIXES = frozenset({".csv", ".json", ".txt", ".yaml"})
FILE_MODE = 0o644
CHUNK_BYTES = 1 << 17


class Sink(Protocol):
    """Takes files by name: POSIX paths inside the export, each once."""

    def write(self, name: str, *chunks: bytes) -> None:
        """Write a file. Raises InvalidInputError for a name that leads out, StorageError if there is no room."""
        ...

    def write_chunks(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file whose parts need not be in memory together; raises as `write` does."""
        ...

    def open_scratch(self) -> Scratch:
        """A place for what is to be written later; it is gone once the sink is closed."""
        ...


@dataclass(frozen=True, slots=True)
class Scratch:
    """Bytes that wait on the disk of the export, in a file without a name."""

    file: IO[bytes]
    folder: Path

    def append(self, data: bytes) -> None:
        """Add bytes at the end. Raises StorageError."""
        with _explained(self.folder):
            self.file.write(data)

    def read_chunks(self) -> Iterator[bytes]:
        """All bytes from the beginning, in parts; nothing is to be appended after that. Raises StorageError."""
        with _explained(self.folder):
            self.file.seek(0)
            while chunk := self.file.read(CHUNK_BYTES):
                yield chunk


@contextmanager
def open_sink(path: Path) -> Generator[Sink]:
    """A zip file if the path ends with `.zip`, otherwise a folder.

    Raises:
        ConflictError: if it exists already (an empty folder may), or is being written.
        StorageError: if the disk refuses.
    """
    with (open_zip_sink if path.suffix.lower() == ZIP_SUFFIX else open_folder_sink)(path) as sink:
        yield sink


@contextmanager
def open_folder_sink(path: Path) -> Generator[Sink]:
    """A folder, and the folders above it where they are missing; raises as `open_sink` does."""
    path = path.resolve()
    partial = _reserve(path)
    with _explained(partial):
        partial.mkdir()
    try:
        with ExitStack() as scratch:
            yield _FolderSink(partial, scratch)
        with _explained(path):
            if path.is_dir():
                path.rmdir()  # empty; not every system renames onto it
            partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def open_zip_sink(path: Path) -> Generator[Sink]:
    """A zip file, and the folders above it where they are missing; the same content gives the same bytes.

    Its list of files is kept in memory until the end, about 1 kB a picture. Raises as `open_sink` does.
    """
    path = path.resolve()
    partial = _reserve(path)
    with _explained(partial):
        archive = zipfile.ZipFile(partial, "x")
    try:
        with ExitStack() as scratch:
            yield _ZipSink(archive, partial, scratch)
        with _explained(path):
            archive.close()
            partial.replace(path)
    except BaseException:
        with suppress(OSError):
            archive.close()
        partial.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class _FolderSink:
    folder: Path
    scratch: ExitStack

    def write(self, name: str, *chunks: bytes) -> None:
        self.write_chunks(name, chunks)

    def write_chunks(self, name: str, chunks: Iterable[bytes]) -> None:
        path = self.folder / _check_name(name)
        if path.exists():
            raise _refuse_again(self.folder, name)
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.writelines(chunks)

    def open_scratch(self) -> Scratch:
        return _open_scratch(self.folder.parent, self.scratch)


@dataclass(frozen=True, slots=True)
class _ZipSink:
    archive: zipfile.ZipFile
    path: Path
    scratch: ExitStack
    names: set[str] = field(default_factory=set[str])

    def write(self, name: str, *chunks: bytes) -> None:
        self.write_chunks(name, chunks)

    def write_chunks(self, name: str, chunks: Iterable[bytes]) -> None:
        entry = zipfile.ZipInfo(_check_name(name))  # its date is a constant
        if name in self.names:
            raise _refuse_again(self.path, name)
        self.names.add(name)
        is_text = PurePosixPath(name).suffix in TEXT_SUFFIXES
        entry.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
        entry.external_attr = FILE_MODE << 16
        with _explained(self.path), self.archive.open(entry, "w", force_zip64=True) as file:
            file.writelines(chunks)

    def open_scratch(self) -> Scratch:
        return _open_scratch(self.path.parent, self.scratch)


def _open_scratch(folder: Path, scratch: ExitStack) -> Scratch:
    with _explained(folder):
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the sink
    scratch.callback(_discard, file)
    return Scratch(file, folder)


def _discard(file: IO[bytes]) -> None:
    # What was not flushed for want of room is not wanted any more.
    with suppress(OSError):
        file.close()


def _reserve(path: Path) -> Path:
    """The path of the partial export, once it is certain that nothing is in its way."""
    with _explained(path):
        is_empty_folder = path.is_dir() and path.suffix.lower() != ZIP_SUFFIX and not any(path.iterdir())
        if path.exists() and not is_empty_folder:
            raise ConflictError(f"{path}: exists already; remove it or export to another place")
        path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    if partial.exists():
        raise ConflictError(f"{partial}: is being written or was left by an export that was cut short; remove it")
    return partial


def _check_name(name: str) -> str:
    parts = name.split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or set(name) & {"\\", "\0", ":"}:
        raise InvalidInputError(f"{name!r}: leads out of the export; give it a plain name")
    return name


def _refuse_again(path: Path, name: str) -> ConflictError:
    return ConflictError(f"{path}: {name} is written a second time; give each picture a name of its own")


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"{path}: cannot be written ({reason}); make room or choose another place") from error
