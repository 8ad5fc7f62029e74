"""Objects as geometry, and the pixels that they cover."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pycocotools import mask as coco_mask

from atrous.core.sizes import Size
from atrous.datasets.outlines.run_lengths import expand_runs, fill_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

coco: Any = coco_mask  # its type stubs know no polygons
MIN_POINTS = 3  # fewer have no area; of two points pycocotools would make a box
# What drawing costs grows with an outline's length; no object of a picture comes near it.
MAX_LENGTH_PX = 2_000_000
SLACK_PX = 0.5  # tools round to the next pixel, also at a picture's edges
ELLIPSE_POINTS = 128


class UnusableOutlineError(Exception):
    """An outline that says nothing, or nothing certain, about pixels; the text is the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """Pixels of one object.

    Attributes:
        is_inside_HW: lies at (top, left) of the picture, wholly in it.
        is_clipped: whether the object reached out of the picture.
    """

    top: int
    left: int
    is_inside_HW: NDArray[np.bool_]
    is_clipped: bool = False


class Shape(Protocol):
    """One object; a frozen value whose `repr` says all about it."""

    def rasterise(self, size: Size) -> Area | None:
        """Its pixels in a picture of this size; None if there are none.

        Raises:
            UnusableOutlineError: if it says nothing certain.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unusable:
    """An object whose description could not be understood."""

    reason: str

    def rasterise(self, size: Size) -> Area | None:  # noqa: ARG002
        """Always raises UnusableOutlineError."""
        raise UnusableOutlineError(self.reason)


@dataclass(frozen=True, slots=True)
class Polygons:
    """The union of polygons, as pycocotools draws them: a pixel is inside if most of it is.

    Attributes:
        parts: points as x, y in pixels, packed by `pack_points`; (0, 0) is the first pixel's outer corner.
    """

    parts: tuple[bytes, ...]

    def rasterise(self, size: Size) -> Area | None:
        """Draw the window of the picture that holds the object."""
        polygons = [unpack_points(part) for part in self.parts]
        polygons = [points_N2 for points_N2 in polygons if len(points_N2) >= MIN_POINTS]
        if not polygons:
            return None
        clipped = [clip_points(points_N2, size) for points_N2 in polygons]
        # Only the window that holds the object: a picture of 200 small objects costs no 200 pictures.
        points_N2 = np.concatenate(clipped)
        left, top = np.maximum(np.floor(points_N2.min(axis=0)), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(points_N2.max(axis=0)) + 1, (size.width, size.height)).astype(int).tolist()
        if right <= left or bottom <= top:
            return None
        shifted = [(points_N2 - (left, top)).ravel().tolist() for points_N2 in clipped]
        window = Size(bottom - top, right - left)
        runs = coco.merge(coco.frPyObjects(shifted, window.height, window.width))
        # Not decoded by pycocotools, whose way to make an array NumPy has deprecated.
        is_inside_HW = fill_runs(expand_runs(runs["counts"].decode()), window)
        return Area(top, left, is_inside_HW, any(reaches_out(points_N2, size) for points_N2 in polygons))


def pack_points(values: Any) -> bytes:
    """Points from a list of x, y, x, y or of pairs, as float64 bytes: an eighth of the memory of Python's lists.

    Raises:
        UnusableOutlineError: if it is no such list.
    """
    try:
        points = np.asarray(values)
        points_N2 = points.reshape(-1, 2) if points.size else np.empty((0, 2))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnusableOutlineError("has an outline that is no list of x and y") from error
    if points_N2.dtype.kind not in "iuf" or points.ndim not in {1, 2} or (points.ndim == 2 and points.shape[1] % 2):
        raise UnusableOutlineError("has an outline that is no list of x and y")
    if not np.isfinite(points_N2).all():
        raise UnusableOutlineError("has a point that is no number")
    return points_N2.astype(np.float64).tobytes()


def unpack_points(part: bytes) -> NDArray[np.float64]:
    """points_N2 as x, y, of `pack_points`."""
    return np.frombuffer(part, np.float64).reshape(-1, 2)


def clip_points(points_N2: NDArray[np.float64], size: Size) -> NDArray[np.float64]:
    """Keep the cost of drawing bounded; drawing itself clips to the picture.

    Raises:
        UnusableOutlineError: if the outline is absurdly long.
    """
    side = max(size.height, size.width)
    clipped_N2 = np.clip(points_N2, -side, 2 * side)
    if np.abs(np.diff(clipped_N2, axis=0)).sum() > MAX_LENGTH_PX:
        raise UnusableOutlineError(f"has an outline that is longer than {MAX_LENGTH_PX} pixels")
    return clipped_N2


def reaches_out(points_N2: NDArray[np.float64], size: Size) -> bool:
    """Whether a point lies out of the picture by more than rounding."""
    limits = np.array([size.width, size.height]) + SLACK_PX
    return bool((points_N2 < -SLACK_PX).any() or (points_N2 > limits).any())


def make_box(left: float, top: float, width: float, height: float, *, turned_deg: float = 0) -> Polygons:
    """A box in pixels, turned clockwise about its first corner."""
    corners_N2 = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    return Polygons((pack_points(_turn(corners_N2, turned_deg) + np.array([left, top])),))


def make_ellipse(centre_xy: Sequence[float], radii_xy: Sequence[float], *, turned_deg: float = 0) -> Polygons:
    """An ellipse in pixels, turned clockwise about its centre."""
    angles = np.linspace(0, 2 * math.pi, ELLIPSE_POINTS, endpoint=False)
    points_N2 = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii_xy
    return Polygons((pack_points(_turn(points_N2, turned_deg) + np.array(centre_xy)),))


def _turn(points_N2: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return points_N2 @ np.array([[cosine, sine], [-sine, cosine]])
