"""Files in a tar archive, read where they lie; a compressed one becomes one temporary tar file first.

Compressed data cannot be read from the middle, and pictures are read in any order and by several threads. So it is
unpacked once, as a whole, to a file without a name in the folder for temporary files (TMPDIR sets it): the system
takes that back when the archive is closed, and also when the process is killed. Its members are never unpacked.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.archive import PositionedFile
from atrous.datasets.files.archive_entries import Entries, Flaw, find_size_flaw
from atrous.datasets.files.tar_headers import (
    BLOCK_BYTES,
    CONTIGUOUS_FILE,
    END_MARK_BYTES,
    FILE,
    HARD_LINK,
    OLD_FILE,
    SPARSE_FILE,
    SYMBOLIC_LINK,
    VOLUME_LABEL,
    Headers,
    is_end_mark,
    is_tar_start,
)
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.files.unpacking import DamagedDataError, decode_bzip2, decode_gzip, decode_xz, unpack, unpack_all
from atrous.datasets.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from atrous.datasets.files.archive import Limits
    from atrous.datasets.files.tar_headers import Member
    from atrous.datasets.files.unpacking import Decoder

DECODERS: dict[bytes, Callable[[], Decoder]] = {
    b"\x1f\x8b": decode_gzip,
    b"BZh": decode_bzip2,
    b"\xfd7zXZ\0": decode_xz,
}
CHUNK_BYTES = 1 << 20
# Asking for the free space costs more than writing a piece.
PIECES_PER_LOOK = 64
FLAWS = {
    HARD_LINK: Flaw("is a hard link", "put the file itself there (tar --hard-dereference)"),
    SYMBOLIC_LINK: Flaw("is a symbolic link", "put the file itself there (tar --dereference)"),
    SPARSE_FILE: Flaw("is stored as a sparse file", "pack it without --sparse"),
}
OTHER_FLAW = Flaw("is a device, a pipe or of an unknown kind", "leave it out of the archive")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a file's content lies, in bytes."""

    content_at: int
    size: int


class TarFiles:
    """The files of one open tar archive."""

    def __init__(self, file: PositionedFile, entries: dict[str, Entry], findings: tuple[Finding, ...]) -> None:
        self._file = file
        self._entries = entries
        self.findings = findings

    @property
    def names(self) -> Collection[str]:
        """Files that may be read."""
        return self._entries.keys()

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file.

        Raises:
            UnreadableFileError: if it is missing, or was cut off after the archive was opened.
            OSError: if the system refuses.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise UnreadableFileError("is not in the archive")
        wanted = min(limit, entry.size)
        data = self._file.read_at(entry.content_at, wanted)
        if len(data) < wanted:
            raise UnreadableFileError("is cut off in the archive")
        return data


def is_tar(file: PositionedFile) -> bool:
    """Whether a file is a tar archive, compressed or not, by its first bytes.

    Raises:
        OSError: if the system refuses.
    """
    decoder = _find_decoder(file)
    if decoder is None:
        head = file.read_at(0, END_MARK_BYTES)
        return is_tar_start(head) or is_end_mark(head)
    try:
        return is_tar_start(b"".join(unpack(_read_chunks(file), decoder, BLOCK_BYTES)))
    except DamagedDataError:
        return False


def index_tar(file: PositionedFile, limits: Limits) -> TarFiles:
    """Find a tar archive's files, unpacking it to a temporary tar file if it is compressed.

    Raises:
        InvalidDatasetError: if it is damaged, cut off, one part of several, or over a limit.
        OSError: if the system refuses.
    """
    if decoder := _find_decoder(file):
        file = _unpack_to_temporary(file, decoder, limits)
    entries = Entries[Entry](file.path, limits)
    headers = Headers(file)
    for member in headers:
        entries.count()
        if member and not member.is_folder and member.kind != VOLUME_LABEL:
            entries.add(member.name, Entry(member.content_at, member.size), _find_flaw(member))
    return TarFiles(file, entries.by_name, (*entries.findings, *_find_no_end(file, headers)))


def _find_flaw(member: Member) -> Flaw | None:
    if member.kind in {FILE, OLD_FILE, CONTIGUOUS_FILE}:
        return find_size_flaw(member.size)
    return FLAWS.get(member.kind, OTHER_FLAW)


def _find_no_end(file: PositionedFile, headers: Headers) -> list[Finding]:
    if headers.has_end:
        return []
    reason = "ends without the mark of a tar archive's end, so files may be missing"
    return [Finding(Kind.MAYBE_DAMAGED, file.path.name, reason, "compare its size with the original's")]


def _find_decoder(file: PositionedFile) -> Callable[[], Decoder] | None:
    head = file.read_at(0, 8)
    return next((decoder for magic, decoder in DECODERS.items() if head.startswith(magic)), None)


def _read_chunks(file: PositionedFile) -> Iterator[bytes]:
    for position in range(0, file.size, CHUNK_BYTES):
        yield file.read_at(position, CHUNK_BYTES)


def _unpack_to_temporary(file: PositionedFile, decoder: Callable[[], Decoder], limits: Limits) -> PositionedFile:
    try:
        with tempfile.TemporaryFile(buffering=0) as target:
            _copy(unpack_all(_read_chunks(file), decoder), target, file, limits)
            logger.info("archive unpacked", extra={"packed_bytes": file.size, "unpacked_bytes": target.tell()})
            return PositionedFile(os.dup(target.fileno()), file.path)
    except DamagedDataError as error:
        raise InvalidDatasetError(f"{file.path}: is cut off or damaged ({error}); copy or download it again") from error


def _copy(pieces: Iterator[bytes], target: IO[bytes], file: PositionedFile, limits: Limits) -> None:
    written = 0
    for count, piece in enumerate(pieces):
        written += len(piece)
        if written > limits.unpacked_bytes:
            raise InvalidDatasetError(
                f"{file.path}: unpacks to more than {limits.unpacked_bytes >> 20:,} MiB; unpack it and give the folder"
            )
        if count % PIECES_PER_LOOK == 0:
            _check_room(file, limits)
        _write(target, piece)


def _check_room(file: PositionedFile, limits: Limits) -> None:
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < limits.spare_disk_bytes + PIECES_PER_LOOK * CHUNK_BYTES:
        raise InvalidDatasetError(
            f"{file.path}: needs more room than is free in {folder}; make room, name another folder by TMPDIR, or "
            "unpack it and give the folder"
        )


def _write(target: IO[bytes], piece: bytes) -> None:
    # An unbuffered file may take less than it is given.
    rest = memoryview(piece)
    while rest:
        rest = rest[target.write(rest) :]
