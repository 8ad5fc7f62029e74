"""Files in a zip archive, read where they lie.

The table of contents is read once and by our own code: the standard library keeps twice as much in memory for each
entry, reads all of a table before it can be refused, and not all of its releases refuse entries that overlap.
PKWARE's APPNOTE.TXT 6.3.10 is the source of all layouts here.
"""

from __future__ import annotations

import stat
import struct
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.files.archive_entries import Entries, Flaw, find_size_flaw
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.files.unpacking import DamagedDataError, decode_bzip2, decode_deflate, unpack
from atrous.datasets.files.zip_directory import read_records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from atrous.datasets.files.archive import Limits, PositionedFile
    from atrous.datasets.files.zip_directory import Record
    from atrous.datasets.findings import Finding

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
LOCAL_SIGNATURE = b"PK\x03\x04"
STORED = 0
DECODERS = {8: decode_deflate, 12: decode_bzip2}
METHOD_NAMES = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ"}
ENCRYPTED = 1 | 1 << 6 | 1 << 13
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a file lies; sizes in bytes, and the CRC-32 of its content."""

    header_at: int
    packed_size: int
    size: int
    crc: int
    method: int


class ZipFiles:
    """The files of one open zip archive."""

    def __init__(self, file: PositionedFile, entries: Entries[Entry]) -> None:
        self._file = file
        self._entries = entries.by_name
        self.findings: tuple[Finding, ...] = entries.findings

    @property
    def names(self) -> Collection[str]:
        """Files that may be read."""
        return self._entries.keys()

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file; its checksum is compared where all of it is read.

        Raises:
            UnreadableFileError: if it is missing, cut off, damaged, or not of the size that it should have.
            OSError: if the system refuses.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise UnreadableFileError("is not in the archive")
        # One byte more than there should be tells an entry that lies about its size.
        pieces = list(self._unpack(entry, min(limit, entry.size + 1)))
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if len(data) < min(limit, entry.size):
            raise UnreadableFileError("is cut off in the archive")
        if len(data) > entry.size:
            raise UnreadableFileError(f"is damaged: it holds more than the {entry.size:,} bytes that it should")
        if limit >= entry.size and zlib.crc32(data) != entry.crc:
            raise UnreadableFileError("is damaged: its checksum differs")
        return data

    def _unpack(self, entry: Entry, limit: int) -> Iterator[bytes]:
        packed = self._read_packed(entry)
        if entry.method == STORED:
            yield from _take(packed, limit)
            return
        try:
            yield from unpack(packed, DECODERS[entry.method], limit)
        except DamagedDataError as error:
            raise UnreadableFileError(f"is damaged in the archive ({error})") from error

    def _read_packed(self, entry: Entry) -> Iterator[bytes]:
        header = self._file.read_at(entry.header_at, LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
            raise UnreadableFileError("is damaged: it is not where the archive's table of contents says")
        *_, name_size, extra_size = LOCAL_HEADER.unpack(header)
        start = entry.header_at + LOCAL_HEADER.size + name_size + extra_size
        for position in range(start, start + entry.packed_size, CHUNK_BYTES):
            yield self._file.read_at(position, min(CHUNK_BYTES, start + entry.packed_size - position))


def index_zip(file: PositionedFile, limits: Limits) -> ZipFiles:
    """Read a zip archive's table of contents.

    Raises:
        InvalidDatasetError: if it cannot be understood, is one part of several, or is over a limit.
        OSError: if the system refuses.
    """
    entries = Entries[Entry](file.path, limits)
    starts: list[int] = []
    for record in read_records(file, limits):
        entries.count()
        starts.append(record.header_at)
        if not record.is_folder:
            entry = Entry(record.header_at, record.packed_size, record.size, record.crc, record.method)
            entries.add(record.name, entry, _find_flaw(record))
    _drop_overlapping(entries, starts, file.size)
    return ZipFiles(file, entries)


def _find_flaw(record: Record) -> Flaw | None:
    kind = stat.S_IFMT(record.mode)
    if kind == stat.S_IFLNK:
        return Flaw("is a symbolic link", "put the file itself there")
    if kind not in {0, stat.S_IFREG}:
        return Flaw("is a device or a pipe", "leave it out of the archive")
    if record.flags & ENCRYPTED:
        return Flaw("is encrypted", "unpack the archive with its password and give the folder")
    if record.method != STORED and record.method not in DECODERS:
        method = METHOD_NAMES.get(record.method, f"method {record.method}")
        return Flaw(f"is packed by {method}", "unpack the archive and give the folder, or pack it with Deflate")
    if record.method == STORED and record.size != record.packed_size:
        return Flaw("has two sizes that should be one", "pack the archive again")
    return find_size_flaw(record.size)


def _drop_overlapping(entries: Entries[Entry], starts: list[int], file_size: int) -> None:
    """Leave out files whose bytes are also another's: a few kilobytes could stand for petabytes that way."""
    ordered = sorted([*starts, file_size])
    for name, entry in list(entries.by_name.items()):
        following = bisect_right(ordered, entry.header_at)
        is_shared = following - bisect_left(ordered, entry.header_at) > 1
        end = entry.header_at + LOCAL_HEADER.size + entry.packed_size
        if is_shared or following == len(ordered) or end > ordered[following]:
            entries.drop(name, Flaw("overlaps another entry or the archive's end", "pack the archive again"))


def _take(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    for chunk in chunks:
        if limit <= 0:
            return
        yield chunk[:limit]
        limit -= len(chunk)
