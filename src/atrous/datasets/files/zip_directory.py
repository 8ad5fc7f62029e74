"""A zip archive's table of contents (its central directory), one record at a time."""

from __future__ import annotations

import stat
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.datasets.files.archive import Limits, PositionedFile

# PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16.
ENDING = struct.Struct("<4s4H2IH")
ENDING_SIGNATURE = b"PK\x05\x06"
LOCATOR = struct.Struct("<4sIQI")
LOCATOR_SIGNATURE = b"PK\x06\x07"
ENDING_64 = struct.Struct("<4sQ2H2I4Q")
ENDING_64_SIGNATURE = b"PK\x06\x06"
RECORD = struct.Struct("<4s6H3I5H2I")
RECORD_SIGNATURE = b"PK\x01\x02"
FIRST_PART_SIGNATURE = b"PK\x07\x08"
MAX_COMMENT_BYTES = 0xFFFF
SEE_64, SEE_64_SHORT = 0xFFFFFFFF, 0xFFFF
EXTRA_64, EXTRA_UNICODE_NAME = 0x0001, 0x7075
NAME_IS_UTF8 = 1 << 11
WINDOW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One entry as the table describes it; sizes and places in bytes, `mode` as in stat or 0."""

    name: str
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    mode: int
    header_at: int

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder."""
        return self.name.endswith(("/", "\\")) or stat.S_ISDIR(self.mode)


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the table lies; `shift` bytes, such as a program that unpacks, stand before the archive."""

    start: int
    size: int
    count: int
    shift: int


def has_ending(file: PositionedFile) -> bool:
    """Whether a file ends as a zip archive does."""
    return _find_ending(file) is not None


def read_records(file: PositionedFile, limits: Limits) -> Iterator[Record]:
    """All entries in the table's order.

    Raises:
        InvalidDatasetError: if the table is damaged or missing, too large, or the archive has several parts.
    """
    directory = _find_directory(file)
    if directory.size > limits.names_bytes or directory.count > limits.entries:
        raise InvalidDatasetError(
            f"{file.path}: its table of contents has {directory.count:,} entries in {directory.size:,} bytes, more "
            "than is read; split it into several datasets"
        )
    position, end, count = directory.start, directory.start + directory.size, 0
    window, window_at = b"", position
    while position < end:
        # A window at a time keeps the table out of memory; no record is longer than 46 + 3 * 65535 bytes.
        if len(window) - (position - window_at) < RECORD.size + 3 * 0xFFFF:
            window, window_at = file.read_at(position, min(WINDOW_BYTES, end - position)), position
        record, size = _read_record(file.path, window, position - window_at, directory.shift)
        yield record
        position, count = position + size, count + 1
    # Some archivers let the 16-bit count run over.
    if position != end or count & SEE_64_SHORT != directory.count & SEE_64_SHORT:
        raise _damaged(file.path)


def _find_ending(file: PositionedFile) -> int | None:
    tail_at = max(0, file.size - ENDING.size - MAX_COMMENT_BYTES)
    tail = file.read_at(tail_at, ENDING.size + MAX_COMMENT_BYTES)
    found = tail.rfind(ENDING_SIGNATURE)
    while found >= 0:
        if found + ENDING.size <= len(tail):
            comment_size = ENDING.unpack_from(tail, found)[-1]
            if found + ENDING.size + comment_size <= len(tail):
                return tail_at + found
        found = tail.rfind(ENDING_SIGNATURE, 0, found)
    return None


def _find_directory(file: PositionedFile) -> _Directory:
    ending_at = _find_ending(file)
    if ending_at is None:
        if file.read_at(0, 4) == FIRST_PART_SIGNATURE:
            raise _several_parts(file.path)
        raise InvalidDatasetError(f"{file.path}: is cut off, its table of contents is missing; copy it again")
    _, *disks_and_counts, size, offset, _ = ENDING.unpack(file.read_at(ending_at, ENDING.size))
    end = ending_at
    located = _find_ending_64(file, ending_at)
    if located is not None:
        end, disks_and_counts, size, offset = located
    disk, directory_disk, count_here, count = disks_and_counts
    if disk != directory_disk or disk or count_here != count:
        raise _several_parts(file.path)
    start = end - size
    if start < 0 or offset > start:
        raise _damaged(file.path)
    return _Directory(start, size, count, start - offset)


def _find_ending_64(file: PositionedFile, ending_at: int) -> tuple[int, list[int], int, int] | None:
    """Where the large ending lies and what it says, for archives over 4 GiB or of over 65,534 entries."""
    locator_at = ending_at - LOCATOR.size
    locator = file.read_at(locator_at, LOCATOR.size) if locator_at >= 0 else b""
    if not locator.startswith(LOCATOR_SIGNATURE):
        return None
    _, disk, offset, disks = LOCATOR.unpack(locator)
    if disk or disks > 1:
        raise _several_parts(file.path)
    for position in (offset, locator_at - ENDING_64.size):
        found = file.read_at(position, ENDING_64.size) if 0 <= position < file.size else b""
        if len(found) == ENDING_64.size and found.startswith(ENDING_64_SIGNATURE):
            _, _, _, _, *disks_and_counts, size, directory_offset = ENDING_64.unpack(found)
            return position, disks_and_counts, size, directory_offset
    raise _damaged(file.path)


def _read_record(path: Path, window: bytes, at: int, shift: int) -> tuple[Record, int]:
    if len(window) < at + RECORD.size or not window.startswith(RECORD_SIGNATURE, at):
        raise _damaged(path)
    (
        _, made_by, _, flags, method, _, _, crc, packed_size, size, name_size, extra_size, comment_size, _, _,
        attributes, offset,
    ) = RECORD.unpack_from(window, at)  # fmt: skip
    length = RECORD.size + name_size + extra_size + comment_size
    if len(window) < at + length:
        raise _damaged(path)
    name_end = at + RECORD.size + name_size
    name = window[at + RECORD.size : name_end]
    extra = _read_extra(window[name_end : name_end + extra_size])
    size, packed_size, offset = _widen((size, packed_size, offset), extra.get(EXTRA_64, b""))
    # The upper half is Unix's mode, unless the archive was made on FAT (system 0).
    mode = attributes >> 16 if made_by >> 8 else 0
    text = _decode_name(name, flags, extra.get(EXTRA_UNICODE_NAME, b""))
    return Record(text, flags, method, crc, packed_size, size, mode, offset + shift), length


def _read_extra(extra: bytes) -> dict[int, bytes]:
    """Extra fields by their id; what does not fit at the end is no field."""
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        key, size = struct.unpack_from("<2H", extra, at)
        fields.setdefault(key, extra[at + 4 : at + 4 + size])
        at += 4 + size
    return fields


def _widen(values: tuple[int, int, int], field: bytes) -> tuple[int, int, int]:
    """Take those values that are too large for 32 bits from the field, which has no others."""
    wide = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
    size, packed_size, offset = (next(wide, value) if value == SEE_64 else value for value in values)
    return size, packed_size, offset


def _decode_name(name: bytes, flags: int, field: bytes) -> str:
    if flags & NAME_IS_UTF8:
        return name.decode(errors="surrogateescape")
    # APPNOTE 4.6.9: version 1, the CRC-32 of the other name, and the name in UTF-8.
    if len(field) > 5 and field[0] == 1 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(name):
        return field[5:].decode(errors="surrogateescape")
    return name.decode("cp437")


def _damaged(path: Path) -> InvalidDatasetError:
    return InvalidDatasetError(f"{path}: its table of contents is damaged; copy or download it again")


def _several_parts(path: Path) -> InvalidDatasetError:
    return InvalidDatasetError(f"{path}: is one part of several; unpack them together and give the folder")
