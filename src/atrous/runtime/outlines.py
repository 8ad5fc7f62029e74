"""What an answer says of each region: the connected pixels of one class, their outline, area, box and confidence.

As in exported labels: corners are whole numbers, and pixel (x, y) lies between the corners (x, y) and (x + 1, y + 1).
Outlines turn clockwise as people see it, holes the other way. Pixels of one class that touch at a corner are
connected, so an outline may touch itself at a corner but never crosses itself; what lies inside by the even-odd rule is
exactly the region.

Axes: H W pixels, R runs, O outlines, N corners, 2 as x, y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.runtime.decode import Answer

Points: TypeAlias = "NDArray[np.int32]"

LEVELS = 255
LEAST_CORNERS = 3


@dataclass(frozen=True, slots=True)
class OutlineWish:
    """Which regions are told, and how finely.

    Attributes:
        min_area_px: leave out smaller ones.
        simplify_px: how far an outline may be off to have fewer corners; 0 for exact ones.
        max_regions: tell the largest so many.
        max_corners: of all their exact outlines together.
    """

    min_area_px: int = 0
    simplify_px: float = 0.0
    max_regions: int = 10_000
    max_corners: int = 1_000_000


ALL_EXACT = OutlineWish()


@dataclass(frozen=True, slots=True, eq=False)
class OutlinedRegion:
    """Pixels of one class that are connected.

    Attributes:
        class_id: never background.
        area_px: how many there are, those of holes left out.
        box_xywh_px: the smallest box around them: left, top, width, height.
        confidence: their mean, 0 to 1.
        outer_N2: corners of the outline.
        holes: corners of the outlines of what is left out.
    """

    class_id: int
    area_px: int
    box_xywh_px: tuple[int, int, int, int]
    confidence: float
    outer_N2: Points
    holes: tuple[Points, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Traced:
    """A framed mask with its outlines; arrays without a letter hold one value for each region."""

    mask: NDArray[np.uint8]
    width: int
    first_O: NDArray[np.int64]
    corners_O: NDArray[np.int32]
    region_O: NDArray[np.int32]
    area: NDArray[np.int64]
    level_sum: NDArray[np.int64]
    box_4: NDArray[np.int32]


def outline_regions(answer: Answer, wish: OutlineWish = ALL_EXACT) -> tuple[list[OutlinedRegion], bool]:
    """Describe the regions of an answer but those of background, the largest first.

    Memory is that of the picture and of what is told, however many regions there are.

    Returns:
        The regions, and whether some were left out because there are more than may be told.
    """
    traced = _trace(answer)
    wanted = np.flatnonzero(traced.area >= wish.min_area_px)
    wanted = wanted[np.argsort(-traced.area[wanted], kind="stable")]
    corners = np.bincount(traced.region_O, weights=traced.corners_O, minlength=len(traced.area))
    fitting = int(np.searchsorted(np.cumsum(corners[wanted]), wish.max_corners, side="right"))
    told = wanted[: min(fitting, wish.max_regions)]
    return _describe(traced, told, wish.simplify_px), len(told) < len(wanted)


def _trace(answer: Answer) -> _Traced:
    # The compiler takes half a second to import, and is needed by nobody who asks for no outlines.
    from atrous.runtime import outline_kernel as kernel  # noqa: PLC0415

    framed_HW: Any = cv2.copyMakeBorder(answer.mask_HW, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    mask, width = framed_HW.reshape(-1), framed_HW.shape[1]
    begin_R = np.flatnonzero(np.concatenate(([True], mask[1:] != mask[:-1])))
    outline_R, corners_O, region_O = (np.empty(len(begin_R), np.int32) for _ in range(3))
    first_O = np.empty(len(begin_R), np.int64)
    outlines, regions = kernel.find_outlines(mask, width, begin_R, outline_R, first_O, corners_O, region_O)
    area, level_sum = np.empty(regions, np.int64), np.empty(regions, np.int64)
    box_4 = np.empty((regions, 4), np.int32)
    kernel.measure_regions(answer.levels_HW, width, begin_R, outline_R, region_O, area, level_sum, box_4)
    return _Traced(mask, width, first_O[:outlines], corners_O[:outlines], region_O[:outlines], area, level_sum, box_4)


def _describe(traced: _Traced, told: NDArray[np.int64], simplify_px: float) -> list[OutlinedRegion]:
    """Regions in the order of `told`, their numbers."""
    rank = np.full(len(traced.area), -1)
    rank[told] = np.arange(len(told))
    chosen = np.flatnonzero(rank[traced.region_O] >= 0)
    # Stable, so that the outer one of a region stays before its holes.
    chosen = chosen[np.argsort(rank[traced.region_O[chosen]], kind="stable")]
    rings = [_simplify(ring_N2, simplify_px) for ring_N2 in _draw_outlines(traced, chosen)]
    counts = np.bincount(rank[traced.region_O[chosen]], minlength=len(told))
    first_pixel = traced.first_O[chosen[np.cumsum(counts) - counts]]
    place, regions = 0, list[OutlinedRegion]()
    for region, count, pixel in zip(told.tolist(), counts.tolist(), first_pixel.tolist(), strict=True):
        regions.append(_describe_region(traced, region, int(traced.mask[pixel]), rings[place : place + count]))
        place += count
    return regions


def _draw_outlines(traced: _Traced, chosen: NDArray[np.int64]) -> list[Points]:
    from atrous.runtime import outline_kernel as kernel  # noqa: PLC0415

    ends_O = np.cumsum(traced.corners_O[chosen], dtype=np.int64)
    corner_N2 = np.empty((int(ends_O[-1]) if len(ends_O) else 0, 2), np.int32)
    kernel.store_corners(
        traced.mask, traced.width, traced.first_O[chosen], ends_O - traced.corners_O[chosen], corner_N2
    )
    return np.split(corner_N2, ends_O[:-1]) if len(ends_O) else []


def _describe_region(traced: _Traced, region: int, class_id: int, rings: list[Points | None]) -> OutlinedRegion:
    left, top, right, bottom = traced.box_4[region].tolist()
    area_px = int(traced.area[region])
    outer_N2, *holes = rings
    box_xywh_px = (left, top, right - left + 1, bottom - top + 1)
    return OutlinedRegion(
        class_id=class_id,
        area_px=area_px,
        box_xywh_px=box_xywh_px,
        confidence=int(traced.level_sum[region]) / area_px / LEVELS,
        outer_N2=_outline_box(box_xywh_px) if outer_N2 is None else outer_N2,
        holes=tuple(hole_N2 for hole_N2 in holes if hole_N2 is not None),
    )


def _simplify(ring_N2: Points, simplify_px: float) -> Points | None:
    """The ring with fewer corners; None if it is too thin for three."""
    if not simplify_px:
        return ring_N2
    kept_N2: Any = cv2.approxPolyDP(ring_N2, simplify_px, closed=True)[:, 0]
    return kept_N2 if len(kept_N2) >= LEAST_CORNERS else None


def _outline_box(box_xywh_px: tuple[int, int, int, int]) -> Points:
    left, top, width, height = box_xywh_px
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32)
