"""8-bit grey PNG, fast and bit-exact.

Label masks are long runs: the `Up` filter turns them into zeros, which isa-l packs at hundreds of megabytes a second
without holding the interpreter lock. Strips of rows are packed apart and put into one stream.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

from atrous.runtime.crew import ALONE, Crew

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UP_FILTER = 2
# Small enough to stay in a core's cache, large enough that what a strip costs on its own does not count.
STRIP_BYTES = 1 << 18
ZLIB_HEADER = b"\x78\x01"
ADLER_BASE = 65521
RAW_DEFLATE = -15


def encode_grey_png(pixels_HW: NDArray[np.uint8], crew: Crew = ALONE) -> bytes:
    """Write HxW uint8 as an 8-bit one-channel PNG."""
    height, width = pixels_HW.shape
    rows = max(1, STRIP_BYTES // (width + 1))
    tops = range(0, height, rows)
    packed = [b""] * len(tops)
    sums = [0] * len(tops)

    def pack(strip: int) -> None:
        filtered = _filter_rows(pixels_HW, tops[strip], min(tops[strip] + rows, height))
        sums[strip] = isal_zlib.adler32(filtered)
        packed[strip] = _deflate(filtered, is_last=strip == len(tops) - 1)

    crew.share(len(tops), pack)
    lengths = [(min(top + rows, height) - top) * (width + 1) for top in tops]
    checksum = struct.pack(">I", _join_checksums(sums, lengths))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        (
            SIGNATURE,
            *_chunk(b"IHDR", header),
            *_chunk(b"IDAT", ZLIB_HEADER, *packed, checksum),
            *_chunk(b"IEND"),
        )
    )


def _filter_rows(pixels_HW: NDArray[np.uint8], top: int, bottom: int) -> NDArray[np.uint8]:
    """Rows of a picture as differences to the row above, each behind the byte that says so."""
    rows = np.empty((bottom - top, pixels_HW.shape[1] + 1), np.uint8)
    rows[:, 0] = UP_FILTER
    if top:
        np.subtract(pixels_HW[top:bottom], pixels_HW[top - 1 : bottom - 1], out=rows[:, 1:])
    else:
        rows[0, 1:] = pixels_HW[0]
        np.subtract(pixels_HW[1:bottom], pixels_HW[: bottom - 1], out=rows[1:, 1:])
    return rows


def _deflate(data: NDArray[np.uint8], *, is_last: bool) -> bytes:
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, RAW_DEFLATE)
    # A full flush ends on a whole byte and forgets what came before, so that the next strip may follow.
    return packer.compress(data) + packer.flush(isal_zlib.Z_FINISH if is_last else isal_zlib.Z_FULL_FLUSH)


def _join_checksums(sums: Sequence[int], lengths: Sequence[int]) -> int:
    """Adler-32 of data whose parts have these checksums and lengths.

    Source: RFC 1950, 8.2; each byte of a part adds the low half of all before it to the high half once.
    """
    low, high = 1, 0
    for part, length in zip(sums, lengths, strict=True):
        high = (high + (part >> 16) + length * (low - 1)) % ADLER_BASE
        low = (low + (part & 0xFFFF) - 1) % ADLER_BASE
    return high << 16 | low


def _chunk(kind: bytes, *content: bytes) -> tuple[bytes, ...]:
    checksum = zlib.crc32(kind)
    for part in content:
        checksum = isal_zlib.crc32(part, checksum)
    return struct.pack(">I", sum(map(len, content))), kind, *content, struct.pack(">I", checksum)
