"""Rectangles of pixels, and the crop and the tiles that a version may ask for."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size

MAX_TILES_A_SIDE = 16


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


@dataclass(frozen=True, slots=True)
class Tiles:
    """A grid that pictures are cut by; each tile is a picture of its own to the network.

    Raises:
        InvalidInputError: if a number is not within 1 to 16.
    """

    rows: int
    columns: int

    def __post_init__(self) -> None:
        if not (1 <= self.rows <= MAX_TILES_A_SIDE and 1 <= self.columns <= MAX_TILES_A_SIDE):
            raise InvalidInputError(f"tile {self}: rows and columns are from 1 to {MAX_TILES_A_SIDE}")

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"

    def locate(self, area: Region) -> tuple[Region, ...]:
        """Cut an area, row by row; sides differ by a pixel at most, and a small area has fewer tiles."""
        rows = _share_out(area.top, area.size.height, self.rows)
        columns = _share_out(area.left, area.size.width, self.columns)
        return tuple(
            Region(top, left, Size(height=bottom - top, width=right - left))
            for top, bottom in rows
            for left, right in columns
        )


def parse_crop(text: str) -> StaticCrop:
    """Read `X_MIN,Y_MIN,X_MAX,Y_MAX`.

    Raises:
        InvalidInputError: if the text is something else, or no crop.
    """
    match = re.fullmatch(r"\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*", text, re.ASCII)
    if not match:
        raise InvalidInputError(f"crop {text!r}: write X_MIN,Y_MIN,X_MAX,Y_MAX in percent, such as 10,0,90,100")
    return StaticCrop(*(int(percent) for percent in match.groups()))


def _share_out(start: int, length: int, parts: int) -> list[tuple[int, int]]:
    parts = min(parts, length)
    return [(start + index * length // parts, start + (index + 1) * length // parts) for index in range(parts)]


def _cut(least_percent: int, most_percent: int, side_px: int) -> tuple[int, int]:
    # Divided first and truncated, as the stock runtime does: another order gives another pixel now and then.
    start, end = (int(percent / 100 * side_px) for percent in (least_percent, most_percent))
    return start, max(start + 1, end)
