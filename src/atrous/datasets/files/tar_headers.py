"""A tar archive's headers, one entry at a time, without its files' content.

POSIX.1-2017, pax, and the GNU tar manual, "Basic Tar Format", are the sources of all layouts here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atrous.datasets.files.archive import PositionedFile

BLOCK_BYTES = 512
END_MARK_BYTES = 2 * BLOCK_BYTES
CHECKSUM = slice(148, 156)
# Names and pax records are read into memory; no honest ones are as long.
MAX_EXTENSION_BYTES = 1 << 20
FILE, OLD_FILE, CONTIGUOUS_FILE = b"0", b"\0", b"7"
FOLDER, FOLDER_WITH_LIST = b"5", b"D"
HARD_LINK, SYMBOLIC_LINK, SPARSE_FILE = b"1", b"2", b"S"
LONG_NAME, LONG_LINK, PAX, SOLARIS_PAX, GLOBAL_PAX = b"L", b"K", b"x", b"X", b"g"
VOLUME_LABEL, CONTINUED_FILE = b"V", b"M"
# Links, devices, folders and pipes: whatever size they state, no content follows.
WITHOUT_CONTENT = frozenset({HARD_LINK, SYMBOLIC_LINK, b"3", b"4", FOLDER, b"6", VOLUME_LABEL})
SPARSE_KEY = "GNU.sparse"


@dataclass(frozen=True, slots=True)
class Member:
    """One entry; `content_at` and `size` in bytes; a `kind` is the type flag of its header."""

    name: str
    kind: bytes
    content_at: int
    size: int

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder, as older archives say by the name."""
        return self.kind in {FOLDER, FOLDER_WITH_LIST} or (self.kind in {FILE, OLD_FILE} and self.name.endswith("/"))


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    kind: bytes
    size: int
    is_extended: bool


def is_tar_start(block: bytes) -> bool:
    """Whether a file that begins so is a tar archive with at least one entry."""
    return _parse_header(block[:BLOCK_BYTES]) is not None


def is_end_mark(blocks: bytes) -> bool:
    """Whether a file that begins so is an empty tar archive: two blocks of zeros."""
    return len(blocks) == END_MARK_BYTES and not blocks.strip(b"\0")


class Headers:
    """Walks from header to header; `has_end` says afterwards whether the archive has its end mark."""

    def __init__(self, file: PositionedFile) -> None:
        self.has_end = False
        self._file = file
        self._at = 0
        self._defaults: dict[str, str] = {}
        self._details: dict[str, str] = {}

    def __iter__(self) -> Iterator[Member | None]:
        """Every entry in order, and None for each header that only describes others.

        Raises:
            InvalidDatasetError: if the archive is damaged, cut off, or one part of several.
            OSError: if the system refuses.
        """
        while self._at < self._file.size:
            block = self._file.read_at(self._at, BLOCK_BYTES)
            if len(block) == BLOCK_BYTES and not block.strip(b"\0"):
                self.has_end = True
                return
            header = _parse_header(block)
            if header is None:
                raise self._damaged()
            self._at += BLOCK_BYTES
            yield self._take(header)

    def _take(self, header: _Header) -> Member | None:
        if header.kind in {LONG_NAME, LONG_LINK, PAX, SOLARIS_PAX, GLOBAL_PAX}:
            self._take_extension(header)
            return None
        details = self._defaults | self._details
        self._details = {}
        if header.kind == CONTINUED_FILE:
            raise InvalidDatasetError(
                f"{self._file.path}: is one part of several; unpack them together and give the folder"
            )
        if header.kind == SPARSE_FILE and header.is_extended:
            self._skip_sparse_map()
        size = self._parse_size(details["size"]) if "size" in details else header.size
        kind = SPARSE_FILE if SPARSE_KEY in details else header.kind
        member = Member(details.get("path", header.name), kind, self._at, size)
        if kind not in WITHOUT_CONTENT:
            self._skip(size)
        return member

    def _take_extension(self, header: _Header) -> None:
        if header.size > MAX_EXTENSION_BYTES:
            raise self._damaged()
        data = self._file.read_at(self._at, header.size)
        if header.kind == LONG_NAME:
            self._details["path"] = _decode(data.partition(b"\0")[0])
        elif header.kind != LONG_LINK:
            records = _parse_pax(data)
            if records is None:
                raise self._damaged()
            (self._defaults if header.kind == GLOBAL_PAX else self._details).update(records)
        self._skip(header.size)

    def _skip_sparse_map(self) -> None:
        while True:
            block = self._file.read_at(self._at, BLOCK_BYTES)
            self._at += BLOCK_BYTES
            if len(block) < BLOCK_BYTES:
                raise self._damaged()
            if not block[504]:
                return

    def _skip(self, size: int) -> None:
        if self._at + size > self._file.size:
            raise InvalidDatasetError(f"{self._file.path}: is cut off; copy or download it again")
        self._at += -(-size // BLOCK_BYTES) * BLOCK_BYTES

    def _parse_size(self, digits: str) -> int:
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise self._damaged()
        return int(digits)

    def _damaged(self) -> InvalidDatasetError:
        return InvalidDatasetError(
            f"{self._file.path}: is damaged at byte {self._at:,}, and what follows is lost; copy or download it again"
        )


def _parse_header(block: bytes) -> _Header | None:
    """None if the block is no header: its checksum, which all archivers write, does not fit."""
    if len(block) < BLOCK_BYTES:
        return None
    stated, size = _parse_number(block[CHECKSUM]), _parse_number(block[124:136])
    if size is None or stated is None or not _fits_checksum(block, stated):
        return None
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    path = prefix + b"/" + name if prefix else name
    return _Header(_decode(path), block[156:157], size, bool(block[482]))


def _fits_checksum(block: bytes, stated: int) -> bool:
    """Whether the bytes add up, as they should or as archivers with signed bytes did it."""
    counted = block[: CHECKSUM.start] + b" " * 8 + block[CHECKSUM.stop :]  # its own field counts as spaces
    total = sum(counted)
    return stated == total or stated == total - 256 * sum(byte > 127 for byte in counted)


def _parse_number(field: bytes) -> int | None:
    """Octal digits, or GNU's base 256; None if it is neither or negative."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    try:
        return int(digits, 8) if digits.isdigit() else (None if digits else 0)
    except ValueError:
        return None


def _parse_pax(data: bytes) -> dict[str, str] | None:
    """The records that matter here, each being `length key=value` and a newline; None if they are damaged."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + 9)
        length = int(data[at:space]) if space > at and data[at:space].isdigit() else 0
        end = at + length
        if end <= space or end > len(data) or data[end - 1 : end] != b"\n":
            return None
        key, _, value = data[space + 1 : end - 1].partition(b"=")
        if key in {b"path", b"size"}:
            records[key.decode()] = _decode(value)
        elif key.startswith(SPARSE_KEY.encode()):
            records[SPARSE_KEY] = ""
            if key == b"GNU.sparse.name":
                records["path"] = _decode(value)
        at = end
    return records


def _decode(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
