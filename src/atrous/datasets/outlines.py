"""A label drawn as outlines: polygons and run lengths in the notation of COCO, painted in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from atrous.core.sizes import Size
from atrous.datasets.findings import Finding, find_wrong_size
from atrous.datasets.source import LabelValues

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

coco: Any = coco_mask  # its type stubs know no polygons
# Values of 16 bits that no outline's class may have.
UNPAINTED_VALUE = 0
UNSCORED_VALUE = 65535
REDRAW = "draw its outline again or delete it"
MIN_POINTS = 3  # fewer have no area; of two points pycocotools would make a box


@dataclass(frozen=True, slots=True)
class Outline:
    """One object.

    Attributes:
        name: how to call it in a message, such as `annotation 17`.
        value: what its pixels get.
        segmentation: list of polygons [x0, y0, x1, y1, ...] in pixels, whose union is meant, or
            {"size": [height, width], "counts": ...} with run lengths down the columns, as a list or compressed.
    """

    name: str
    value: int
    segmentation: Any


class _UnusableOutlineError(Exception):
    """An outline that says nothing, or nothing certain, about pixels; the text is the reason."""


@dataclass(frozen=True, slots=True)
class OutlineLabel:
    """Outlines of one picture in the order of painting: later ones cover earlier ones."""

    path: Path
    size: Size
    outlines: tuple[Outline, ...]

    def load(self, picture: Size) -> LabelValues | Finding:
        """Paint the outlines, or say why they cannot be a label of this picture."""
        if finding := find_wrong_size(self.path, self.size, picture):
            return finding
        values_HW = np.full((self.size.height, self.size.width), UNPAINTED_VALUE, np.uint16)
        overpainted_px = ignored = 0
        for outline in self.outlines:
            try:
                area = _rasterise(outline.segmentation, self.size)
            except _UnusableOutlineError as error:
                return Finding(self.path, f"{outline.name} {error}", REDRAW)
            if area is None:
                ignored += 1
            else:
                overpainted_px += _paint(values_HW, area, outline.value)
        return LabelValues(values_HW, overpainted_px, ignored)


@dataclass(frozen=True, slots=True, eq=False)
class _Area:
    """Pixels of one object: `is_inside_HW` lies at (top, left) of the picture."""

    top: int
    left: int
    is_inside_HW: NDArray[np.bool_]


def _paint(values_HW: NDArray[np.uint16], area: _Area, value: int) -> int:
    height, width = area.is_inside_HW.shape
    window_HW = values_HW[area.top : area.top + height, area.left : area.left + width]
    covered = window_HW[area.is_inside_HW]
    window_HW[area.is_inside_HW] = value
    return int(np.count_nonzero((covered != UNPAINTED_VALUE) & (covered != value)))


def _rasterise(segmentation: Any, size: Size) -> _Area | None:
    """Pixels of one object, or None if it has polygons, but none with an area in the picture."""
    if isinstance(segmentation, dict):
        return _Area(0, 0, _rasterise_runs(cast("dict[str, Any]", segmentation), size))
    if not isinstance(segmentation, list) or not segmentation:
        raise _UnusableOutlineError("has no outline")
    polygons = [_read_polygon(part, size) for part in cast("list[Any]", segmentation)]
    return _rasterise_polygons([points_N2 for points_N2 in polygons if len(points_N2) >= MIN_POINTS], size)


def _read_polygon(part: Any, size: Size) -> NDArray[np.float64]:
    """Points as x, y in pixels."""
    try:
        points_N2 = np.asarray(part, np.float64).reshape(-1, 2)
    except (TypeError, ValueError) as error:
        raise _UnusableOutlineError("has an outline that is no list of x and y") from error
    if not np.isfinite(points_N2).all():
        raise _UnusableOutlineError("has a point that is no number")
    # Rasterising clips to the picture by itself; this only keeps its cost bounded for absurd points.
    side = max(size.height, size.width)
    return np.clip(points_N2, -side, 2 * side)


def _rasterise_polygons(polygons: list[NDArray[np.float64]], size: Size) -> _Area | None:
    if not polygons:
        return None
    # Only the window that holds the object: a picture of 200 small objects costs no 200 pictures.
    points_N2 = np.concatenate(polygons)
    left, top = np.maximum(np.floor(points_N2.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(points_N2.max(axis=0)) + 1, (size.width, size.height)).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    shifted = [(points_N2 - (left, top)).ravel().tolist() for points_N2 in polygons]
    runs = coco.merge(coco.frPyObjects(shifted, bottom - top, right - left))
    # Not decoded by pycocotools, whose way to make an array NumPy has deprecated.
    return _Area(top, left, _fill(_expand(runs["counts"].decode()), Size(bottom - top, right - left)))


def _rasterise_runs(runs: dict[str, Any], size: Size) -> NDArray[np.bool_]:
    if runs.get("size") != [size.height, size.width]:
        raise _UnusableOutlineError(f"has run lengths for another size than {size}")
    counts = runs.get("counts")
    lengths = np.asarray(_expand(counts) if isinstance(counts, str) else _whole_numbers(counts), np.int64)
    # Checked here, because pycocotools leaves pixels after the last run as whatever memory held.
    if (lengths < 0).any() or (lengths > size.pixels).any() or lengths.sum() != size.pixels:
        raise _UnusableOutlineError("has run lengths that do not add up to its picture")
    return _fill(lengths, size)


def _fill(lengths: Sequence[int] | NDArray[np.int64], size: Size) -> NDArray[np.bool_]:
    """Pixels from runs down the columns, outside and inside by turns."""
    is_inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(is_inside, lengths).reshape((size.height, size.width), order="F")


def _whole_numbers(counts: Any) -> Sequence[int]:
    lengths: list[Any] = cast("list[Any]", counts) if isinstance(counts, list) else [None]
    if not all(type(length) is int and abs(length) < 2**31 for length in lengths):
        raise _UnusableOutlineError("has run lengths that are no list of whole numbers")
    return lengths


def _expand(text: str) -> list[int]:
    """Undo COCO's compression: 5 bits a character, low ones first, and differences to the run two before.

    Source: rleFrString in pycocotools' maskApi.c.
    """
    lengths: list[int] = []
    number = shift = 0
    for position, character in enumerate(text):
        code = _check_code(position, character)
        number |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                number -= 1 << shift
            lengths.append(number + (lengths[-2] if len(lengths) > 2 else 0))
            number = shift = 0
        elif shift > 30:
            raise _UnusableOutlineError("has damaged run lengths")
    if shift:
        raise _UnusableOutlineError("has run lengths that are cut off")
    return lengths


def _check_code(position: int, character: str) -> int:
    code = ord(character) - 48
    if not 0 <= code < 64:
        raise _UnusableOutlineError(f"has run lengths with a damaged character at position {position}")
    return code
