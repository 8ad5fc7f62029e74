"""Decompression that never gives more than was asked for, whatever the data would become."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

PIECE_BYTES = 1 << 20
# xz -9 needs 65 MiB; the format allows 4 GiB.
MAX_XZ_MEMORY_BYTES = 256 << 20
GZIP_WINDOW = 31  # zlib's way to say: with a gzip header
RAW_WINDOW = -15  # and: without any


class DamagedDataError(Exception):
    """Compressed data that cannot be unpacked; the text is the reason."""


class Decoder(Protocol):
    """What zlib's, bz2's and lzma's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the stream."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The next bytes, at most max_length."""
        ...


def decode_deflate() -> Decoder:
    """A decoder of zip's usual method."""
    return zlib.decompressobj(RAW_WINDOW)


def decode_gzip() -> Decoder:
    """A decoder of one gzip stream."""
    return zlib.decompressobj(GZIP_WINDOW)


def decode_bzip2() -> Decoder:
    """A decoder of one bzip2 stream."""
    return bz2.BZ2Decompressor()


def decode_xz() -> Decoder:
    """A decoder of one xz stream, refusing those that ask for much memory."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY_BYTES)


def unpack(packed: Iterator[bytes], start: Callable[[], Decoder], limit: int) -> Iterator[bytes]:
    """The first `limit` bytes of one stream, in pieces.

    Raises:
        DamagedDataError: if the data is damaged or ends before the stream does.
    """
    return _unpack_stream(b"", packed, start(), limit)


def unpack_all(packed: Iterator[bytes], start: Callable[[], Decoder]) -> Iterator[bytes]:
    """All bytes of streams that follow each other, as parallel compressors write them; zeros between them are padding.

    Raises:
        DamagedDataError: if the data is damaged or ends before the last stream does.
    """
    rest = next(packed, b"")
    while rest:
        rest = yield from _unpack_stream(rest, packed, start(), None)
        while not rest.lstrip(b"\0") and (rest := next(packed, b"")):
            pass
        rest = rest.lstrip(b"\0")


def _unpack_stream(
    data: bytes, packed: Iterator[bytes], decoder: Decoder, limit: int | None
) -> Generator[bytes, None, bytes]:
    """Yields pieces and returns what was read beyond the stream's end."""
    given = 0
    while not decoder.eof and (limit is None or given < limit):
        wanted = PIECE_BYTES if limit is None else min(PIECE_BYTES, limit - given)
        piece = _decompress(decoder, data, wanted)
        given += len(piece)
        if piece:
            yield piece
        # zlib hands back what it had no room for; the others keep it.
        data = getattr(decoder, "unconsumed_tail", b"")
        if not data and len(piece) < wanted and not decoder.eof:
            data = next(packed, b"")
            if not data:
                raise DamagedDataError("ends too early")
    return decoder.unused_data


def _decompress(decoder: Decoder, data: bytes, wanted: int) -> bytes:
    try:
        return decoder.decompress(data, wanted)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise DamagedDataError(str(error)) from error
