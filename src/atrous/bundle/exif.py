"""Which way up a picture was taken, by its EXIF block, and pixels turned by it: 1 to 8, of which 1 is upright."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

UPRIGHT = 1
ORIENTATIONS = range(1, 9)
# From this one on, rows become columns.
FIRST_TRANSPOSED = 5
ORIENTATION_TAG = 0x0112
BYTE_ORDERS = {b"II\x2a\0": "<", b"MM\0\x2a": ">"}
# How a whole number of a type is unpacked: BYTE, SHORT, LONG, then with signs.
NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
# All others undo themselves.
INVERSE = {6: 8, 8: 6}


def read_orientation_tag(exif: bytes) -> int:
    r"""Find the orientation in an EXIF block.

    Args:
        exif: from its byte order on, with or without `Exif\0\0` before it; may be empty.

    Returns:
        1 to 8; 1 where the block tells none or nonsense.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = BYTE_ORDERS.get(tiff[:4])
    try:
        return tame_orientation(_find_orientation(tiff, order)) if order else UPRIGHT
    except struct.error:
        return UPRIGHT


def tame_orientation(found: object) -> int:
    """What a file tells as its orientation; 1 for nonsense."""
    return found if isinstance(found, int) and found in ORIENTATIONS else UPRIGHT


def turn_picture(image_HWC: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn pixels as stored to what people see: a contiguous copy, or the same array if it is upright."""
    match orientation:
        case 2:
            turned_HWC = cv2.flip(image_HWC, 1)
        case 3:
            turned_HWC = cv2.rotate(image_HWC, cv2.ROTATE_180)
        case 4:
            turned_HWC = cv2.flip(image_HWC, 0)
        case 5:
            turned_HWC = cv2.transpose(image_HWC)
        case 6:
            turned_HWC = cv2.rotate(image_HWC, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            transposed_HWC = cv2.transpose(image_HWC)
            turned_HWC = cv2.flip(transposed_HWC, -1, dst=transposed_HWC)
        case 8:
            turned_HWC = cv2.rotate(image_HWC, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return image_HWC
    return np.asarray(turned_HWC, np.uint8)


def turn_size(size: Size, orientation: int) -> Size:
    """The size that a picture stored at this size has when it is turned."""
    return Size(height=size.width, width=size.height) if orientation >= FIRST_TRANSPOSED else size


def _find_orientation(tiff: bytes, order: str) -> int:
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", tiff, place)
        if tag == ORIENTATION_TAG and kind in NUMBERS:
            return struct.unpack_from(f"{order}{NUMBERS[kind]}", tiff, place + 8)[0]
    return UPRIGHT
