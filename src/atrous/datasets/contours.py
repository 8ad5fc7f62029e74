"""From a label mask to outlines: the connected regions of each class, followed along the edges between pixels.

Corners are whole numbers: pixel (x, y) lies between the corners (x, y) and (x + 1, y + 1). Outlines turn clockwise as
people see it, holes the other way. Pixels of one class that touch at a corner are connected (8-connectivity), so an
outline may touch itself at a corner but never crosses itself; what lies inside by the even-odd rule, which
pycocotools follows, is exactly the region.

Axes: H W pixels, E unit edges, R rings, N points, 2 as x, y.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID
from atrous.datasets.pixel_counts import count_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.core.sizes import Size

Points: TypeAlias = "NDArray[np.int32]"

# Directions of an edge that has its pixel on the right hand: right, down, left, up.
OUTSIDE_YX = ((-1, 0), (0, 1), (1, 0), (0, -1))
AHEAD_YX = ((0, 1), (1, 0), (0, -1), (-1, 0))
# Where the edge begins, seen from its pixel's upper left corner.
BEGIN_XY = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of one class that are connected.

    Attributes:
        class_id: what they show; never background.
        outer_N2: corners of the outline.
        holes: corners of the outlines of what is left out.
    """

    class_id: int
    outer_N2: Points
    holes: tuple[Points, ...] = ()

    @property
    def area_px(self) -> int:
        """Pixels, those of holes left out."""
        return sum(_measure_area(ring_N2) for ring_N2 in (self.outer_N2, *self.holes))

    @property
    def box_xywh_px(self) -> tuple[int, int, int, int]:
        """The smallest box around it: left, top, width, height."""
        left, top = self.outer_N2.min(axis=0).tolist()
        right, bottom = self.outer_N2.max(axis=0).tolist()
        return left, top, right - left, bottom - top


def trace_regions(mask_HW: NDArray[np.uint8]) -> list[Region]:
    """The regions of a label mask except those of background, by class id and then from top to bottom.

    The cost grows with the number of pixels, and above that with the length of all outlines.
    """
    parts_HW, class_ids = _label_parts(mask_HW)
    edges = _find_edges(parts_HW)
    order_E, begins_R = _walk_rings(_find_next_edges(parts_HW, edges))
    if not len(order_E):
        return []
    points_N2, cuts_R, areas_R = _measure_rings(edges, order_E, begins_R, parts_HW.shape[1])
    part_R = parts_HW.ravel()[edges.pixel_E[order_E[begins_R]]]
    outers: dict[int, Points] = {}
    holes: defaultdict[int, list[Points]] = defaultdict(list)
    for part, area, ring_N2 in zip(part_R.tolist(), areas_R.tolist(), np.split(points_N2, cuts_R), strict=True):
        if area > 0:
            outers[part] = ring_N2
        else:
            holes[part].append(ring_N2)
    return [Region(class_ids[part], outers[part], tuple(holes[part])) for part in sorted(outers)]


def count_runs(region: Region, size: Size) -> list[int]:
    """Run lengths down the columns of a picture, beginning with those outside, as COCO counts them."""
    crossings = np.concatenate([_cross_columns(ring_N2, size.height) for ring_N2 in (region.outer_N2, *region.holes)])
    # The end of one column is the beginning of the next: a run that ends there and goes on is one.
    places, times = np.unique(crossings, return_counts=True)
    places = places[(times % 2 == 1) & (places < size.pixels)]
    return np.diff(np.concatenate([[0], places, [size.pixels]])).tolist()


def cut_open(region: Region) -> Points:
    """One outline for a region with holes: from each hole a cut without width leads up to what lies above it.

    By the even-odd rule it holds the very pixels of the region, since each cut is passed once in each direction.
    """
    if not region.holes:
        return region.outer_N2
    rings = [_walk_lattice(region.outer_N2), *sorted(map(_begin_at_top, region.holes), key=_find_top)]
    branches = _find_branches(rings)
    # The lower one branches off the upper one, so from below all that branches off is complete.
    for number in reversed(range(len(rings))):
        ring_N2 = rings[number]
        closed_N2 = ring_N2 if number == 0 else np.concatenate([ring_N2, ring_N2[:1]])
        rings[number] = _splice(closed_N2, [(place, rings[child]) for place, child in branches[number]])
    return _keep_corners(rings[0])


# Rings of a mask


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Unit edges between a region and what is not of it, ordered by direction and then by pixel.

    Attributes:
        direction_E: 0 to 3, see OUTSIDE_YX.
        pixel_E: flat index, in the framed picture, of the pixel on the right hand.
    """

    direction_E: NDArray[np.int8]
    pixel_E: NDArray[np.int64]


def _label_parts(mask_HW: NDArray[np.uint8]) -> tuple[NDArray[np.int32], list[int]]:
    """Connected parts numbered from 1, with a frame of zeros around the picture, and the class id of each number."""
    height, width = mask_HW.shape
    parts_HW = np.zeros((height + 2, width + 2), np.int32)
    inside_HW = parts_HW[1:-1, 1:-1]
    class_ids = [BACKGROUND_ID]
    for class_id in np.flatnonzero(count_values(mask_HW, 256)).tolist():
        if class_id != BACKGROUND_ID:
            is_class_HW = mask_HW == class_id
            count, found_HW = _connect(is_class_HW)
            np.add(found_HW, len(class_ids) - 1, out=inside_HW, where=is_class_HW)
            class_ids += [class_id] * (count - 1)
    return parts_HW, class_ids


def _connect(is_class_HW: NDArray[np.bool_]) -> tuple[int, NDArray[np.int32]]:
    """How many numbers there are, that of the rest, 0, among them, and each pixel's number."""
    found: Any = cv2.connectedComponents(is_class_HW.view(np.uint8), connectivity=8)
    return found


def _find_edges(parts_HW: NDArray[np.int32]) -> _Edges:
    height, width = parts_HW.shape
    inside_HW = parts_HW[1:-1, 1:-1]
    pixels: list[NDArray[np.int64]] = []
    for down, right in OUTSIDE_YX:
        outside_HW = parts_HW[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        y_E, x_E = np.nonzero((inside_HW != 0) & (inside_HW != outside_HW))
        pixels.append((y_E + 1) * width + x_E + 1)
    directions = np.repeat(np.arange(4, dtype=np.int8), [len(pixel_E) for pixel_E in pixels])
    return _Edges(directions, np.concatenate(pixels))


def _find_next_edges(parts_HW: NDArray[np.int32], edges: _Edges) -> NDArray[np.int64]:
    """For each edge the one that goes on where it ends: a turn to the left if there is a pixel of the same region."""
    width = parts_HW.shape[1]
    part = parts_HW.ravel()
    direction_E, pixel_E = edges.direction_E.astype(np.int64), edges.pixel_E
    outside_D, ahead_D = (np.array([y * width + x for y, x in steps_YX]) for steps_YX in (OUTSIDE_YX, AHEAD_YX))
    ahead_E = pixel_E + ahead_D[direction_E]
    diagonal_E = ahead_E + outside_D[direction_E]
    is_left_E = part[diagonal_E] == part[pixel_E]
    is_straight_E = ~is_left_E & (part[ahead_E] == part[pixel_E])
    next_pixel_E = np.where(is_left_E, diagonal_E, np.where(is_straight_E, ahead_E, pixel_E))
    turn_E = np.where(is_left_E, 3, np.where(is_straight_E, 0, 1))
    next_direction_E = (direction_E + turn_E) % 4
    return np.searchsorted(direction_E * part.size + pixel_E, next_direction_E * part.size + next_pixel_E)


def _walk_rings(next_E: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges ring by ring in the order of walking, and where in that order each ring begins."""
    following: list[int] = next_E.tolist()
    is_passed = bytearray(len(following))
    order: list[int] = []
    begins: list[int] = []
    for first, edge in enumerate(following):
        if is_passed[first]:
            continue
        begins.append(len(order))
        order.append(first)
        is_passed[first] = 1
        while edge != first:
            order.append(edge)
            is_passed[edge] = 1
            edge = following[edge]  # noqa: PLW2901 - the walk goes on from there
    return np.array(order, np.int64), np.array(begins, np.int64)


def _measure_rings(
    edges: _Edges, order_E: NDArray[np.int64], begins_R: NDArray[np.int64], width: int
) -> tuple[Points, NDArray[np.int64], NDArray[np.int64]]:
    """Corners of all rings, where to cut them into rings, and the area inside each, negative for holes."""
    direction_E = edges.direction_E[order_E]
    y_E, x_E = np.divmod(edges.pixel_E[order_E], width)
    begin_E2 = (np.stack([x_E, y_E], axis=1) - 1 + BEGIN_XY[direction_E]).astype(np.int32)
    before_E = np.arange(len(order_E)) - 1
    before_E[begins_R] = np.append(begins_R[1:], len(order_E)) - 1
    is_corner_E = direction_E != direction_E[before_E]
    share_E = np.where(direction_E % 2 == 0, (direction_E.astype(np.int64) - 1) * begin_E2[:, 1], 0)
    cuts_R = np.cumsum(np.add.reduceat(is_corner_E.astype(np.int64), begins_R))[:-1]
    return begin_E2[is_corner_E], cuts_R, np.add.reduceat(share_E, begins_R)


def _measure_area(ring_N2: Points) -> int:
    x_N, y_N = ring_N2.astype(np.int64).T
    return int((x_N * np.roll(y_N, -1) - np.roll(x_N, -1) * y_N).sum()) // 2


def _cross_columns(ring_N2: Points, height: int) -> NDArray[np.int64]:
    """Places, counted down the columns, where the middle of a pixel's column crosses the ring."""
    begin_N2 = ring_N2.astype(np.int64)
    end_N2 = np.roll(begin_N2, -1, axis=0)
    left_N = np.minimum(begin_N2[:, 0], end_N2[:, 0])
    length_N = np.abs(end_N2[:, 0] - begin_N2[:, 0])
    x_C = np.arange(int(length_N.sum())) + np.repeat(left_N - np.cumsum(length_N) + length_N, length_N)
    return x_C * height + np.repeat(begin_N2[:, 1], length_N)


# Cuts from holes


def _walk_lattice(ring_N2: Points) -> Points:
    """All whole points of a ring, one apart from the next."""
    step_N2 = np.roll(ring_N2, -1, axis=0) - ring_N2
    length_N = np.abs(step_N2).sum(axis=1)
    past_M = np.arange(int(length_N.sum())) - np.repeat(np.cumsum(length_N) - length_N, length_N)
    walked_M2 = np.repeat(np.sign(step_N2), length_N, axis=0) * past_M[:, None]
    return (np.repeat(ring_N2, length_N, axis=0) + walked_M2).astype(np.int32)


def _begin_at_top(hole_N2: Points) -> Points:
    """The whole points of a hole from its highest one on, the leftmost of these."""
    points_M2 = _walk_lattice(hole_N2)
    return np.roll(points_M2, -int(np.lexsort((points_M2[:, 0], points_M2[:, 1]))[0]), axis=0)


def _find_top(hole_M2: Points) -> int:
    return int(hole_M2[0, 1])


def _find_branches(rings: Sequence[Points]) -> defaultdict[int, list[tuple[int, int]]]:
    """Number of a ring -> where on it a cut to another begins, and that one's number.

    Above the highest point of a hole lie pixels of the region, and above these some other ring.
    """
    x_M, y_M = np.concatenate(rings).astype(np.int64).T
    key_M = (x_M << 32) + y_M
    number_M = np.repeat(np.arange(len(rings)), [len(ring_M2) for ring_M2 in rings])
    place_M = np.concatenate([np.arange(len(ring_M2)) for ring_M2 in rings])
    order_M = np.argsort(key_M, kind="stable")
    top_keys = [(int(hole_M2[0, 0]) << 32) + int(hole_M2[0, 1]) for hole_M2 in rings[1:]]
    above = order_M[np.searchsorted(key_M[order_M], top_keys) - 1]
    branches: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for child, position in enumerate(above.tolist(), start=1):
        branches[int(number_M[position])].append((int(place_M[position]), child))
    return branches


def _splice(ring_M2: Points, branches: list[tuple[int, Points]]) -> Points:
    """Leave the ring at each place, walk what branches off there, and go on from the same place."""
    pieces: list[Points] = []
    begin = 0
    for place, branch_K2 in sorted(branches, key=lambda branch: branch[0]):
        pieces += [ring_M2[begin : place + 1], branch_K2]
        begin = place
    return np.concatenate([*pieces, ring_M2[begin:]])


def _keep_corners(points_M2: Points) -> Points:
    step_M2 = np.sign(np.roll(points_M2, -1, axis=0) - points_M2)
    return points_M2[(step_M2 != np.roll(step_M2, 1, axis=0)).any(axis=1)]
