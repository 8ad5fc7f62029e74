"""Which way up a picture was taken, and labels turned with it: EXIF's orientations 1 to 8, where 1 is upright."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from atrous.bundle.picture import UNREADABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXIF_ORIENTATION = 0x0112
UPRIGHT = 1
# All others undo themselves.
INVERSE = {6: 8, 8: 6}

Values = TypeVar("Values", np.uint8, np.uint16)


def read_orientation(data: bytes) -> int:
    """The orientation that a picture's file tells, 1 to 8; 1 if it tells none or nonsense."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            orientation = picture.getexif().get(EXIF_ORIENTATION, UPRIGHT)
    except UNREADABLE:
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT


def turn_upright(values_HW: NDArray[Values], orientation: int) -> NDArray[Values]:
    """Turn pixels as stored to what people see."""
    match orientation:
        case 2:
            turned_HW = values_HW[:, ::-1]
        case 3:
            turned_HW = values_HW[::-1, ::-1]
        case 4:
            turned_HW = values_HW[::-1]
        case 5:
            turned_HW = values_HW.T
        case 6:
            turned_HW = np.rot90(values_HW, -1)
        case 7:
            turned_HW = values_HW[::-1, ::-1].T
        case 8:
            turned_HW = np.rot90(values_HW, 1)
        case _:
            return values_HW
    return np.ascontiguousarray(turned_HW)


def turn_back(values_HW: NDArray[Values], orientation: int) -> NDArray[Values]:
    """Turn what people see to pixels as stored."""
    return turn_upright(values_HW, INVERSE.get(orientation, orientation))
