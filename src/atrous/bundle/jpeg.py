"""JPEG files -> BGR pixels, whole or at a half, a quarter or an eighth of their size.

libjpeg-turbo decodes straight into the array that is returned: the same pixels as OpenCV's, which has a second copy
of them at its peak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import simplejpeg

from atrous.core.sizes import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = b"\xff\xd8\xff"
# Sides that the decoder can divide by on its way, the greatest first.
DIVISORS = (8, 4, 2)


def is_jpeg(data: bytes) -> bool:
    """Whether a file is a JPEG, by its first bytes."""
    return data.startswith(SIGNATURE)


def decode_jpeg(data: bytes, stored: Size, divisor: int = 1) -> NDArray[np.uint8] | None:
    """Decode a JPEG as stored, never turned.

    Args:
        data: the file's bytes.
        stored: its size by its header.
        divisor: of both sides, 1 or one of `DIVISORS`.

    Returns:
        image_HWC, BGR, uint8, of the size that `divide_size` tells; None if the file is damaged, however little, or of
        a kind that libjpeg-turbo refuses.
    """
    whole_blocks = Size(height=-(-stored.height // divisor), width=-(-stored.width // divisor))
    try:
        image_HWC = simplejpeg.decode_jpeg(data, "BGR", min_height=whole_blocks.height, min_width=whole_blocks.width)
    except ValueError:
        return None
    kept = divide_size(stored, divisor)
    return image_HWC[: kept.height, : kept.width]


def divide_size(size: Size, divisor: int) -> Size:
    """The size that a picture of this size has at a fraction: to the nearest pixel, so that nothing shifts by one."""
    sides = ((side + divisor // 2) // divisor for side in (size.height, size.width))
    height, width = (max(1, side) for side in sides)
    return Size(height=height, width=width)
