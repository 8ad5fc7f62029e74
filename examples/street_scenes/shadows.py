"""Shadows on the ground."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import SUBPIXEL_BITS, Canvas, round_corners
from .street import Street

_LONGEST = 3.5


@dataclass(frozen=True)
class Box:
    """The room a thing takes: ranges of x, y and z in metres."""

    x_m: tuple[float, float]
    y_m: tuple[float, float]
    z_m: tuple[float, float]


def stand_box(x_m: float, z_m: float, *, half_m: float, low_m: float = 0.0, high_m: float) -> Box:
    """A square box around a place."""
    return Box((x_m - half_m, x_m + half_m), (low_m, high_m), (z_m - half_m, z_m + half_m))


def cast_shadows(canvas: Canvas, street: Street, boxes: list[Box]) -> None:
    """Take the sun from the ground where boxes stand in its way; call before the things themselves are drawn."""
    shade_HW = np.zeros(canvas.paint_HWC.shape[:2], np.uint8)
    for box in boxes:
        cv2.fillConvexPoly(shade_HW, _throw(street, box), 255, shift=SUBPIXEL_BITS)
    shade_HW[: int(street.camera.horizon_px) + 1] = 0
    canvas.light_HWC[..., 1] = np.where(shade_HW > 0, 0, canvas.light_HWC[..., 1])


def _throw(street: Street, box: Box) -> NDArray[np.int32]:
    """Outline, as OpenCV draws it, of a box's shadow."""
    corners = np.array(list(itertools.product(box.x_m, box.y_m, box.z_m)))
    towards_x, towards_y, towards_z = street.light.towards_sun
    slope = np.clip(np.array([towards_x, towards_z]) / towards_y, -_LONGEST, _LONGEST)
    ground_xz = corners[:, [0, 2]] - corners[:, 1:2] * slope
    hull_xz = cv2.convexHull(ground_xz.astype(np.float32)).reshape(-1, 2)
    points = np.column_stack([hull_xz[:, 0], 0 * hull_xz[:, 0], hull_xz[:, 1]])
    return round_corners(street.camera.project(points))
