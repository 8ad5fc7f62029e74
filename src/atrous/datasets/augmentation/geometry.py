"""Steps that move pixels: a picture and its mask move alike, and class ids stay exact.

Axes: H W pixels, C channels. What comes from outside the picture is black, and void in the mask.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.datasets.augmentation.steps import Crop, Rotate, Shear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from atrous.datasets.augmentation.steps import Cutout, Flip, Ninety

# image_HWC, BGR, and mask_HW; both uint8 and of one size.
Pair: TypeAlias = "tuple[NDArray[np.uint8], NDArray[np.uint8]]"

MOSAIC_MIDDLE = (0.3, 0.7)


def flip(pair: Pair, step: Flip, rng: Generator) -> Pair:
    """Mirror, each way in half of the cases."""
    mirrored = rng.random(2) < 0.5
    columns = slice(None, None, -1 if step.horizontal and mirrored[0] else 1)
    rows = slice(None, None, -1 if step.vertical and mirrored[1] else 1)
    return pair[0][rows, columns], pair[1][rows, columns]


def turn_ninety(pair: Pair, step: Ninety, rng: Generator) -> Pair:
    """Turn by quarters; the size stays."""
    turns = [0]
    turns += [3] if step.clockwise else []
    turns += [1] if step.counter_clockwise else []
    turns += [2] if step.upside_down else []
    quarters = turns[int(rng.integers(len(turns)))]
    image_HWC, mask_HW = (np.rot90(pixels, quarters) for pixels in pair)
    if image_HWC.shape[:2] == pair[0].shape[:2]:
        return image_HWC, mask_HW
    height, width = pair[1].shape
    return (
        np.asarray(cv2.resize(image_HWC, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8),
        np.asarray(cv2.resize(mask_HW, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8),
    )


def warp(pair: Pair, steps: Sequence[Rotate | Shear | Crop], rng: Generator) -> Pair:
    """Turn, slant and zoom in one go, so that pixels are interpolated once."""
    height, width = pair[1].shape
    outward_33 = np.eye(3)
    for step in steps:
        outward_33 = outward_33 @ _draw_matrix(step, width, height, rng)
    image_HWC = cv2.warpAffine(
        pair[0],
        outward_33[:2],
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0),
    )
    return np.asarray(image_HWC, np.uint8), _take_nearest(pair[1], outward_33)


def lay_mosaic(pairs: Sequence[Pair], rng: Generator) -> Pair:
    """Put parts of four pictures of one size around a point near the middle, each at its own scale."""
    height, width = pairs[0][1].shape
    middle_y, middle_x = (int(rng.uniform(*MOSAIC_MIDDLE) * side) for side in (height, width))
    image_HWC, mask_HW = np.empty_like(pairs[0][0]), np.empty_like(pairs[0][1])
    quarters = [
        (slice(top, bottom), slice(left, right))
        for top, bottom in ((0, middle_y), (middle_y, height))
        for left, right in ((0, middle_x), (middle_x, width))
    ]
    for (rows, columns), (part_HWC, part_HW) in zip(quarters, pairs, strict=True):
        window = (
            _draw_window(rows.stop - rows.start, height, rng),
            _draw_window(columns.stop - columns.start, width, rng),
        )
        image_HWC[rows, columns], mask_HW[rows, columns] = part_HWC[window], part_HW[window]
    return image_HWC, mask_HW


def cut_out(pair: Pair, step: Cutout, rng: Generator) -> Pair:
    """Make boxes black and void."""
    image_HWC, mask_HW = pair[0].copy(), pair[1].copy()
    height, width = (max(1, round(int(side) * step.percent / 100)) for side in mask_HW.shape)
    for _ in range(step.count):
        rows, columns = _draw_window(height, mask_HW.shape[0], rng), _draw_window(width, mask_HW.shape[1], rng)
        image_HWC[rows, columns] = 0
        mask_HW[rows, columns] = VOID_ID
    return image_HWC, mask_HW


def _draw_window(length: int, side: int, rng: Generator) -> slice:
    start = int(rng.integers(0, side - length, endpoint=True))
    return slice(start, start + length)


def _draw_matrix(step: Rotate | Shear | Crop, width: int, height: int, rng: Generator) -> NDArray[np.float64]:
    """From a pixel's place in the outcome to its place in the picture, both counted from pixels' centres."""
    match step:
        case Rotate():
            angle = math.radians(rng.uniform(-step.degrees, step.degrees))
            cosine, sine = math.cos(angle), math.sin(angle)
            return _about_centre([[cosine, -sine], [sine, cosine]], width, height)
        case Shear():
            horizontal, vertical = (
                math.tan(math.radians(rng.uniform(-degrees, degrees))) for degrees in (step.horizontal, step.vertical)
            )
            return _about_centre([[1, horizontal], [vertical, 1]], width, height)
        case Crop():
            lost = rng.uniform(min(step.least_percent, step.most_percent), step.most_percent) / 100
            left, top = rng.random(2) * lost * (width, height)
            kept = 1 - lost
            # Half a pixel lies between a pixel's edge, by which a window is cut, and its centre.
            shift_x, shift_y = left + kept / 2 - 0.5, top + kept / 2 - 0.5
            return np.array([[kept, 0, shift_x], [0, kept, shift_y], [0, 0, 1]])


def _about_centre(linear_22: list[list[float]], width: int, height: int) -> NDArray[np.float64]:
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix_33 = np.eye(3)
    matrix_33[:2, :2] = linear_22
    matrix_33[:2, 2] = centre - matrix_33[:2, :2] @ centre
    return matrix_33


def _take_nearest(mask_HW: NDArray[np.uint8], outward_33: NDArray[np.float64]) -> NDArray[np.uint8]:
    taken_HW = cv2.warpAffine(
        mask_HW,
        outward_33[:2],
        (mask_HW.shape[1], mask_HW.shape[0]),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(VOID_ID,),
    )
    return np.asarray(taken_HW, np.uint8)
