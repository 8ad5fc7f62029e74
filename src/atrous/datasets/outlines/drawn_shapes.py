"""LabelMe's shapes, drawn with Pillow just as labelme draws them: pixels under an outline belong to the object.

Source: `shape_to_mask` of labelme; the tests compare with masks that labelme wrote.
"""

from __future__ import annotations

import base64
import io
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from atrous.bundle.picture import UNREADABLE
from atrous.datasets.files.json_file import get_list, get_text, show_value
from atrous.datasets.outlines.shapes import (
    MIN_POINTS,
    Area,
    Unusable,
    UnusableOutlineError,
    clip_points,
    pack_points,
    reaches_out,
    unpack_points,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.outlines.shapes import Shape

LINE_WIDTH_PX = 10
POINT_RADIUS_PX = 5
# Drawing a polygon costs its points times its rows.
MAX_POINTS = 100_000
POINTS_OF_KIND = {"rectangle": 2, "circle": 2, "line": 2, "point": 1, "oriented_rectangle": 4}
LEAST_POINTS = {"polygon": MIN_POINTS, "linestrip": 2}


@dataclass(frozen=True, slots=True)
class DrawnShape:
    """A shape of labelme by the name of its kind; `points` as of `pack_points`."""

    kind: str
    points: bytes

    def rasterise(self, size: Size) -> Area | None:
        """Draw the window of the picture that holds the shape."""
        points_N2 = unpack_points(self.points)
        if len(points_N2) < LEAST_POINTS.get(self.kind, 0):
            return None
        # A line or circle with a moved point would be another one.
        if len(points_N2) > MAX_POINTS or (clip_points(points_N2, size) != points_N2).any():
            raise UnusableOutlineError(f"has too many points or one far outside its picture of {size}")
        reach_px = _find_reach(self.kind, points_N2)
        left, top = np.maximum(np.floor(points_N2.min(axis=0)) - reach_px, 0).astype(int).tolist()
        ends = np.ceil(points_N2.max(axis=0)) + reach_px + 1
        right, bottom = np.minimum(ends, (size.width, size.height)).astype(int).tolist()
        if right <= left or bottom <= top:
            return None
        canvas = Image.new("L", (right - left, bottom - top))
        # Whole numbers, so that Pillow rounds as on the whole picture.
        DRAW[self.kind](ImageDraw.Draw(canvas), [(x - left, y - top) for x, y in points_N2.tolist()])
        is_inside_HW = np.asarray(canvas) > 0
        return Area(top, left, is_inside_HW, reaches_out(points_N2, size)) if is_inside_HW.any() else None


@dataclass(frozen=True, slots=True)
class PastedMask:
    """A bitmap whose first and last pixel lie at these places of the picture, both of them inside."""

    left: int
    top: int
    right: int
    bottom: int
    png: bytes

    def rasterise(self, size: Size) -> Area | None:
        """Decode the bitmap and cut off what lies out of the picture."""
        side = max(size.height, size.width)
        if min(self.left, self.top) < -side or max(self.right, self.bottom) > 2 * side:
            raise UnusableOutlineError(f"lies far outside its picture of {size}")
        mask_HW = self._decode()
        top, left = max(self.top, 0), max(self.left, 0)
        is_inside_HW = mask_HW[top - self.top : size.height - self.top, left - self.left : size.width - self.left]
        if not is_inside_HW.any():
            return None
        return Area(top, left, is_inside_HW, is_clipped=is_inside_HW.shape != mask_HW.shape)

    def _decode(self) -> NDArray[np.bool_]:
        expected = (self.right - self.left + 1, self.bottom - self.top + 1)
        try:
            with Image.open(io.BytesIO(self.png), formats=["PNG"]) as bitmap:
                if bitmap.size != expected:
                    raise UnusableOutlineError(f"has a bitmap of another size than its box ({bitmap.size}, {expected})")
                return np.asarray(bitmap.convert("L")) > 0
        except (*UNREADABLE, struct.error) as error:
            raise UnusableOutlineError("has a damaged bitmap") from error


def read_shape(entry: Any) -> Shape:
    """One shape of a LabelMe file; Unusable if it is none."""
    kind = get_text(entry, "shape_type") or "polygon"
    try:
        points = pack_points(get_list(entry, "points"))
        count = len(unpack_points(points))
        if kind == "mask":
            return _read_mask(unpack_points(points), get_text(entry, "mask"))
        if kind not in DRAW:
            return Unusable(f"is {show_value(kind)}, which is no shape that labelme draws")
        if count != POINTS_OF_KIND.get(kind, count):
            return Unusable(f"is a {kind} of {count} points instead of {POINTS_OF_KIND[kind]}")
        return DrawnShape(kind, points)
    except UnusableOutlineError as error:
        return Unusable(str(error))


def _read_mask(points_N2: NDArray[np.float64], text: str | None) -> PastedMask:
    if len(points_N2) != 2 or text is None or np.abs(points_N2).max() > 2**31:
        raise UnusableOutlineError("is a mask without a box or a bitmap")
    (left, top), (right, bottom) = points_N2.astype(int).tolist()
    if right < left or bottom < top:
        raise UnusableOutlineError("is a mask whose box ends before it begins")
    try:
        return PastedMask(left, top, right, bottom, base64.b64decode(text, validate=True))
    except ValueError as error:
        raise UnusableOutlineError("has a damaged bitmap") from error


def _find_reach(kind: str, points_N2: NDArray[np.float64]) -> int:
    """How far a shape reaches beyond the box of its points, in pixels."""
    match kind:
        case "circle":
            return math.ceil(np.hypot(*(points_N2[1] - points_N2[0]))) + 1
        case "line" | "linestrip":
            return LINE_WIDTH_PX
        case "point":
            return POINT_RADIUS_PX + 1
        case _:
            return 1


def _draw_polygon(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]]) -> None:
    draw.polygon(points, outline=1, fill=1)


def _draw_rectangle(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]]) -> None:
    (x, y), (other_x, other_y) = points
    draw.rectangle((min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y)), outline=1, fill=1)


def _draw_circle(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]]) -> None:
    """A centre and a point on the rim."""
    (x, y), (rim_x, rim_y) = points
    radius = math.hypot(rim_x - x, rim_y - y)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)


def _draw_lines(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]]) -> None:
    draw.line(points, fill=1, width=LINE_WIDTH_PX)


def _draw_point(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]]) -> None:
    ((x, y),) = points
    radius = POINT_RADIUS_PX
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)


DRAW: dict[str, Callable[[ImageDraw.ImageDraw, Sequence[tuple[float, float]]], None]] = {
    "polygon": _draw_polygon,
    "oriented_rectangle": _draw_polygon,
    "rectangle": _draw_rectangle,
    "circle": _draw_circle,
    "line": _draw_lines,
    "linestrip": _draw_lines,
    "point": _draw_point,
}
