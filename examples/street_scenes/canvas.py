"""The layers of a picture before light falls on it.

Everything is painted far to near at SAMPLES x SAMPLES points per pixel; the mask is drawn by the same strokes as the
colours, so it is exact. Axes: H W canvas rows and columns, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .palette import Colour, Label

SAMPLES = 2
HAZE_LENGTH_M = 30.0
SUBPIXEL_BITS = 3
_FARTHEST_PX = 30_000

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Ink:
    """What a stroke leaves behind: colour and label, and how light will meet it.

    Attributes:
        sun: share of sunlight the surface catches, 0 (turned away) to 1.
        glow: how much light it gives itself, 0 to 1.
    """

    colour: Colour
    label: Label
    depth_m: float
    sun: float = 0.7
    glow: float = 0.0


@dataclass(frozen=True)
class Canvas:
    """Paint and light layers, changed in place.

    Attributes:
        paint_HWC: red, green, blue, label.
        light_HWC: clearness of the air up to the surface, share of sun, glow.
    """

    paint_HWC: Bytes
    light_HWC: Bytes

    def fill(self, polygons: Sequence[ArrayLike], ink: Ink) -> None:
        """Paint polygons [N, 2] in pixels; where two of one call overlap, nothing is painted."""
        corners = [round_corners(polygon) for polygon in polygons]
        clear = measure_clearness(ink.depth_m)
        cv2.fillPoly(self.paint_HWC, corners, (*ink.colour, int(ink.label)), shift=SUBPIXEL_BITS)
        cv2.fillPoly(self.light_HWC, corners, (clear, 255 * ink.sun, 255 * ink.glow), shift=SUBPIXEL_BITS)


def open_canvas(height_px: int, width_px: int) -> Canvas:
    """A blank canvas."""
    return Canvas(np.zeros((height_px, width_px, 4), np.uint8), np.zeros((height_px, width_px, 3), np.uint8))


def round_corners(polygon: ArrayLike) -> NDArray[np.int32]:
    """Corners [N, 2] in pixels as OpenCV draws them: whole numbers with SUBPIXEL_BITS of fraction."""
    near = np.clip(np.asarray(polygon), -_FARTHEST_PX, _FARTHEST_PX)
    return np.round(near * (1 << SUBPIXEL_BITS)).astype(np.int32)


def measure_clearness(depth_m: float) -> float:
    """Depth as exp(-depth / HAZE_LENGTH_M) in 0 to 255, so that eight bits are finest where things are near."""
    return 255.0 * float(np.exp(-depth_m / HAZE_LENGTH_M))


def settle_labels(label_HW: Bytes) -> Bytes:
    """Labels per pixel where the samples in and next to it agree.

    The rest, a seam of one to two pixels where paint is mixed and the lens blurs neighbours together, is VOID.
    """
    around = np.ones((3, 3), np.uint8)
    is_seam_HW = cv2.dilate(label_HW, around) != cv2.erode(label_HW, around)
    samples = [(row, column) for row in range(SAMPLES) for column in range(SAMPLES)]
    is_mixed_HW = np.any([is_seam_HW[row::SAMPLES, column::SAMPLES] for row, column in samples], axis=0)
    return np.where(is_mixed_HW, np.uint8(Label.VOID), label_HW[::SAMPLES, ::SAMPLES])
