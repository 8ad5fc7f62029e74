"""Supervisely's shapes: outlines with holes, boxes and bitmaps.

Source: "Objects" of Supervisely's documentation of its annotation format.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atrous.bundle.picture import UNREADABLE
from atrous.datasets.files.json_file import get_list, get_object, get_text, show_value
from atrous.datasets.outlines.shapes import (
    Area,
    Polygons,
    Unusable,
    UnusableOutlineError,
    make_box,
    pack_points,
    unpack_points,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.outlines.shapes import Shape

BITMAPS = frozenset({"bitmap", "alpha_mask"})
WITHOUT_AREA = frozenset({"point", "line", "polyline", "graph", "cuboid", "oriented_bbox"})
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# A bitmap is a PNG of at most four bytes a pixel; more than this cannot be one that fits its picture.
PNG_BYTES_PER_PIXEL = 8
PNG_OVERHEAD_BYTES = 1 << 16
FAR_PX = 1 << 31


@dataclass(frozen=True, slots=True)
class HoledPolygon:
    """What lies inside an outline and in none of its holes; points as of `pack_points`."""

    exterior: bytes
    holes: tuple[bytes, ...]

    def rasterise(self, size: Size) -> Area | None:
        """Draw the outline and take the holes away, so that what lies below them stays."""
        area = Polygons((self.exterior,)).rasterise(size)
        hole = Polygons(self.holes).rasterise(size)
        if area is None or hole is None:
            return area
        is_inside_HW = area.is_inside_HW.copy()
        _subtract(is_inside_HW, hole, left=area.left, top=area.top)
        return Area(area.top, area.left, is_inside_HW, area.is_clipped) if is_inside_HW.any() else None


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A bitmap whose first pixel lies at (left, top) of the picture; `text` is its PNG, deflated, as base64."""

    left: int
    top: int
    text: str

    def rasterise(self, size: Size) -> Area | None:
        """Decode the bitmap and cut off what lies out of the picture."""
        mask_HW = _decode_bitmap(self.text, size)
        rows = slice(max(-self.top, 0), max(size.height - self.top, 0))
        columns = slice(max(-self.left, 0), max(size.width - self.left, 0))
        is_inside_HW = mask_HW[rows, columns]
        if not is_inside_HW.any():
            return None
        is_clipped = bool(np.count_nonzero(is_inside_HW) < np.count_nonzero(mask_HW))
        return Area(max(self.top, 0), max(self.left, 0), is_inside_HW, is_clipped)


def read_shape(entry: Any, usual_shape: str) -> Shape | None:
    """One object of an annotation; Unusable if it is none, and None if its shape has no area, as a line.

    Args:
        entry: the object.
        usual_shape: the shape of its class, for old exports, which leave it to the class.
    """
    bitmap = get_object(entry, "bitmap")
    kind = get_text(entry, "geometryType") or ("bitmap" if bitmap else usual_shape)
    if kind in WITHOUT_AREA:
        return None
    try:
        if kind in BITMAPS:
            return _read_bitmap(bitmap)
        points = get_object(entry, "points")
        exterior = pack_points(get_list(points, "exterior"))
        if kind == "rectangle":
            return _read_rectangle(unpack_points(exterior))
        if kind == "polygon":
            return HoledPolygon(exterior, tuple(pack_points(hole) for hole in get_list(points, "interior")))
    except UnusableOutlineError as error:
        return Unusable(str(error))
    return Unusable(f"is {show_value(kind)}, which is no shape of Supervisely's")


def _read_rectangle(points_N2: NDArray[np.float64]) -> Shape:
    if len(points_N2) != 2:
        return Unusable(f"is a rectangle of {len(points_N2)} points instead of 2")
    (left, top), (width, height) = points_N2.min(axis=0).tolist(), np.ptp(points_N2, axis=0).tolist()
    return make_box(left, top, width, height)


def _read_bitmap(bitmap: dict[str, Any]) -> Shape:
    text = get_text(bitmap, "data")
    match get_list(bitmap, "origin"):
        case [int(left), int(top)] if text is not None and max(abs(left), abs(top)) < FAR_PX:
            return Bitmap(left, top, text)
        case _:
            return Unusable("is a bitmap without data and origin")


def _subtract(is_inside_HW: NDArray[np.bool_], hole: Area, *, left: int, top: int) -> None:
    """Take the pixels of a hole out of a window that lies at (top, left), in place."""
    height, width = hole.is_inside_HW.shape
    first_y, first_x = max(top, hole.top), max(left, hole.left)
    last_y, last_x = hole.top + height, hole.left + width
    window_HW = is_inside_HW[first_y - top : max(last_y - top, 0), first_x - left : max(last_x - left, 0)]
    hole_HW = hole.is_inside_HW[first_y - hole.top :, first_x - hole.left :]
    window_HW &= ~hole_HW[: window_HW.shape[0], : window_HW.shape[1]]


def _decode_bitmap(text: str, size: Size) -> NDArray[np.bool_]:
    """Where the PNG is opaque or, if it has no transparency, not 0."""
    try:
        data = base64.b64decode(text)
        # It is mostly, but not always, compressed once more.
        png = data if data.startswith(PNG_SIGNATURE) else _inflate(data, size)
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if picture.width > size.width or picture.height > size.height:
                raise UnusableOutlineError("has a bitmap larger than its picture")
            bands = picture.getbands()
            if "A" in bands or "transparency" in picture.info:
                return np.asarray(picture.convert("RGBA"))[..., 3] > 0
            if len(bands) > 1:
                raise UnusableOutlineError("has a bitmap of colours")
            return np.asarray(picture) != 0
    except (*UNREADABLE, struct.error, zlib.error) as error:
        raise UnusableOutlineError("has a damaged bitmap") from error


def _inflate(data: bytes, size: Size) -> bytes:
    inflater = zlib.decompressobj()
    png = inflater.decompress(data, PNG_OVERHEAD_BYTES + PNG_BYTES_PER_PIXEL * size.pixels)
    if inflater.unconsumed_tail:
        raise UnusableOutlineError("has a bitmap that inflates to more than its picture can need")
    return png
