"""Rectangles of pixels, and the crop that a version may ask for in percent of a picture."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of pixels inside something larger: its upper left corner and its size."""

    top: int
    left: int
    size: Size

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array whose first axes are H W."""
        return slice(self.top, self.top + self.size.height), slice(self.left, self.left + self.size.width)


@dataclass(frozen=True, slots=True)
class StaticCrop:
    """The part of every picture that a model sees, in whole percent of its width and height.

    Raises:
        InvalidInputError: if a percentage is not within 0 to 100, or nothing is left.
    """

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    def __post_init__(self) -> None:
        if not (0 <= self.x_min < self.x_max <= 100 and 0 <= self.y_min < self.y_max <= 100):
            raise InvalidInputError(
                f"crop {self}: write X_MIN,Y_MIN,X_MAX,Y_MAX in percent from 0 to 100, each MIN below its MAX"
            )

    def __str__(self) -> str:
        return ",".join(str(percent) for percent in astuple(self))

    def locate(self, picture: Size) -> Region:
        """Find the crop in a picture of this size; of a picture too small for it, one pixel a side is kept."""
        top, bottom = _cut(self.y_min, self.y_max, picture.height)
        left, right = _cut(self.x_min, self.x_max, picture.width)
        return Region(top, left, Size(height=bottom - top, width=right - left))


def parse_crop(text: str) -> StaticCrop:
    """Read `X_MIN,Y_MIN,X_MAX,Y_MAX`.

    Raises:
        InvalidInputError: if the text is something else, or no crop.
    """
    match = re.fullmatch(r"\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*", text, re.ASCII)
    if not match:
        raise InvalidInputError(f"crop {text!r}: write X_MIN,Y_MIN,X_MAX,Y_MAX in percent, such as 10,0,90,100")
    return StaticCrop(*(int(percent) for percent in match.groups()))


def _cut(least_percent: int, most_percent: int, side_px: int) -> tuple[int, int]:
    # Divided first and truncated, as the stock runtime does: another order gives another pixel now and then.
    start, end = (int(percent / 100 * side_px) for percent in (least_percent, most_percent))
    return start, max(start + 1, end)
