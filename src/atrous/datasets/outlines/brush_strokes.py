"""Label Studio's brush strokes: pixels packed as runs of bits.

Source: the decoder of thi.ng's rle-pack, which Label Studio uses: 32 bits of count, 5 bits of word size less one, four
times 4 bits of a run length's size less one; then per run one bit (1: a value repeated, 0: as many values), 2 bits that
choose the size, the length less one and the values. The values are red, green, blue and alpha of each pixel, in rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atrous.datasets.outlines.shapes import Area, UnusableOutlineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.sizes import Size

COUNT_BITS, WORD_SIZE_BITS, SIZE_BITS, CHOICE_BITS = 32, 5, 4, 2
SIZES = 4
CHANNELS = 4
WORD_BITS = 8


@dataclass(frozen=True, slots=True)
class BrushStrokes:
    """Strokes as Label Studio packs them; a pixel is inside if its alpha is not 0."""

    packed: bytes

    def rasterise(self, size: Size) -> Area | None:
        """Unpack the strokes, which must be for just this picture."""
        is_inside_HW = unpack_strokes(self.packed, size)
        return Area(0, 0, is_inside_HW) if is_inside_HW.any() else None


def pack_strokes(values: Any) -> BrushStrokes:
    """Strokes from a list of bytes.

    Raises:
        UnusableOutlineError: if it is no such list.
    """
    if not isinstance(values, list):
        raise UnusableOutlineError("has no brush strokes")
    try:
        return BrushStrokes(bytes(cast("list[Any]", values)))
    except (TypeError, ValueError) as error:
        raise UnusableOutlineError("has brush strokes that are no list of bytes") from error


def unpack_strokes(packed: bytes, size: Size) -> NDArray[np.bool_]:
    """is_inside_HW; nothing but alpha is kept, so memory is a byte a pixel.

    Raises:
        UnusableOutlineError: if the strokes are damaged or another picture's.
    """
    bits = _Bits(packed)
    count, word_bits = bits.read(COUNT_BITS), bits.read(WORD_SIZE_BITS) + 1
    sizes = [bits.read(SIZE_BITS) + 1 for _ in range(SIZES)]
    if count != CHANNELS * size.pixels or word_bits != WORD_BITS:
        raise UnusableOutlineError(f"has brush strokes for another picture than one of {size}")
    alpha = np.zeros(size.pixels, np.uint8)
    start = 0
    while start < count:
        is_repeated = bits.read(1)
        end = start + bits.read(sizes[bits.read(CHOICE_BITS)]) + 1
        if end > count:
            raise UnusableOutlineError("has brush strokes that do not add up to its picture")
        # Of the values from start to end, every fourth is an alpha.
        pixels = slice(start // CHANNELS, end // CHANNELS)
        if is_repeated:
            alpha[pixels] = bits.read(WORD_BITS)
        else:
            values = bits.read(WORD_BITS * (end - start)).to_bytes(end - start, "big")
            alpha[pixels] = np.frombuffer(values[(CHANNELS - 1 - start) % CHANNELS :: CHANNELS], np.uint8)
        start = end
    return alpha.reshape(size.height, size.width) > 0


class _Bits:
    """Bytes read as numbers of any count of bits, high ones first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> int:
        end = self._at + count
        last = (end + 7) // 8
        if last > len(self._data):
            raise UnusableOutlineError("has brush strokes that are cut off")
        number = int.from_bytes(self._data[self._at // 8 : last], "big") >> (8 * last - end)
        self._at = end
        return number & ((1 << count) - 1)
