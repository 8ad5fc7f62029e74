"""Which way up a picture was taken, and labels turned with it: EXIF's orientations 1 to 8, where 1 is upright."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from atrous.bundle.exif import INVERSE, UPRIGHT
from atrous.bundle.picture import read_picture_orientation
from atrous.core.errors import InvalidImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = TypeVar("Values", np.uint8, np.uint16)


def read_orientation(data: bytes) -> int:
    """The orientation by which a picture is turned when it is decoded, 1 to 8; 1 if its file tells none or nonsense."""
    try:
        return read_picture_orientation(data)
    except InvalidImageError:
        return UPRIGHT


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
