"""Archives drawn byte by byte, so that they can be wrong in every way."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MIB = 1 << 20


def write_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            add_member(archive, name, data)
    return path


def add_member(archive: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(data), "elsewhere"
    archive.addfile(member, io.BytesIO(data))


@dataclass(frozen=True)
class RawEntry:
    """A zip entry as its two headers state it, true or not; `at` is where the table says that it lies."""

    name: bytes
    packed: bytes = b""
    method: int = 0
    size: int | None = None
    crc: int | None = None
    flags: int = 0
    mode: int = 0o100644
    at: int | None = None
    extra: bytes = b""


def write_raw_zip(path: Path, entries: Iterable[RawEntry], count: int | None = None) -> Path:
    body, table, seen = bytearray(), bytearray(), 0
    for entry in entries:
        size = len(entry.packed) if entry.size is None else entry.size
        crc = zlib.crc32(entry.packed) if entry.crc is None else entry.crc
        stated = struct.pack("<5H3I2H", 20, entry.flags, entry.method, 0, 0, crc, len(entry.packed), size,
                             len(entry.name), 0)  # fmt: skip
        table += struct.pack("<4sH5H3I5H2I", b"PK\1\2", 3 << 8, 20, entry.flags, entry.method, 0, 0, crc,
                             len(entry.packed), size, len(entry.name), len(entry.extra), 0, 0, 0, entry.mode << 16,
                             len(body) if entry.at is None else entry.at)  # fmt: skip
        table += entry.name + entry.extra
        body += b"PK\3\4" + stated + entry.name + entry.packed
        seen += 1
    seen = seen if count is None else count
    ending = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, seen, seen, len(table), len(body), 0)
    path.write_bytes(body + table + ending)
    return path


def deflate_zeros(mebibytes: int) -> bytes:
    """Zeros as deflate packs them best, about 1 to 1000, without packing each of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return piece * (mebibytes // 16) + packer.flush(zlib.Z_FINISH)
