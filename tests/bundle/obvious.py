"""Preprocessing the obvious way: every pixel of the network's input asks for itself where it comes from.

Written from the words of the documentation, one pixel at a time, with nothing of ours in it but plain numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOID = 255
PADDING = {
    "letterbox-black": 0,
    "letterbox-grey": 127,
    "letterbox-white": 255,
    "letterbox-reflect": 0,
    "fit-within": 0,
    "center-crop": 0,
}


@dataclass(frozen=True)
class Axis:
    """One side of a picture on its way into the network's input, in pixels.

    Attributes:
        picture: the side's length.
        start: the first pixel that the network sees.
        seen: how many it sees.
        canvas: length of the network's input.
        before: padding before the picture.
        inner: length of the picture inside the padding.
    """

    picture: int
    start: int
    seen: int
    canvas: int
    before: int
    inner: int


def place(
    picture_HW: tuple[int, int], canvas_HW: tuple[int, int], fit: str, crop: tuple[int, int, int, int] | None
) -> tuple[Axis, Axis]:
    """Rows and columns."""
    x_min, y_min, x_max, y_max = crop or (0, 0, 100, 100)
    starts, seens = [], []
    for side, low, high in ((picture_HW[0], y_min, y_max), (picture_HW[1], x_min, x_max)):
        start = int(low / 100 * side)
        starts.append(start)
        seens.append(max(1, int(high / 100 * side) - start))
    scale = min(canvas_HW[0] / seens[0], canvas_HW[1] / seens[1])
    axes = []
    for side, start, seen, canvas in zip(picture_HW, starts, seens, canvas_HW, strict=True):
        if fit == "stretch":
            axes.append(Axis(side, start, seen, canvas, 0, canvas))
        elif fit == "center-crop" and seen > canvas:
            axes.append(Axis(side, start + (seen - canvas) // 2, canvas, canvas, 0, canvas))
        else:
            inner = seen if fit == "center-crop" else max(1, int(seen * scale))
            axes.append(Axis(side, start, seen, canvas, (canvas - inner) // 2, inner))
    return axes[0], axes[1]


def fit_image(image_HWC: NDArray[np.uint8], axes: tuple[Axis, Axis], fit: str) -> NDArray[np.float64]:
    rows, columns = axes
    canvas_HWC = np.zeros((rows.canvas, columns.canvas, 3))
    for y in range(rows.canvas):
        for x in range(columns.canvas):
            inner_y, inner_x = y - rows.before, x - columns.before
            if fit == "letterbox-reflect":
                inner_y, inner_x = mirror(inner_y, rows.inner), mirror(inner_x, columns.inner)
            if 0 <= inner_y < rows.inner and 0 <= inner_x < columns.inner:
                canvas_HWC[y, x] = blend(image_HWC, axes, inner_y, inner_x)
            else:
                canvas_HWC[y, x] = PADDING[fit]
    return canvas_HWC


def fit_mask(mask_HW: NDArray[np.uint8], axes: tuple[Axis, Axis]) -> NDArray[np.int64]:
    """-1 where a centre falls on the border of two pixels, so that either may be taken."""
    rows, columns = axes
    canvas_HW = np.full((rows.canvas, columns.canvas), VOID, np.int64)
    for y in range(rows.inner):
        for x in range(columns.inner):
            row, on_row_border = divmod((2 * y + 1) * rows.seen, 2 * rows.inner)
            column, on_column_border = divmod((2 * x + 1) * columns.seen, 2 * columns.inner)
            label = int(mask_HW[rows.start + row, columns.start + column])
            canvas_HW[rows.before + y, columns.before + x] = label if on_row_border and on_column_border else -1
    return canvas_HW


def mirror(index: int, length: int) -> int:
    """Walk back and forth between the ends; the pixel at an end is met twice."""
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index


def blend(image_HWC: NDArray[np.uint8], axes: tuple[Axis, Axis], inner_y: int, inner_x: int) -> NDArray[np.float64]:
    """The four pixels around a place, weighted by their nearness; none from beyond what is seen."""
    total_C = np.zeros(3)
    for row, row_weight in neighbours(axes[0], inner_y):
        for column, column_weight in neighbours(axes[1], inner_x):
            total_C += row_weight * column_weight * image_HWC[row, column]
    return total_C


def neighbours(axis: Axis, inner: int) -> list[tuple[int, float]]:
    at = (inner + 0.5) * axis.seen / axis.inner - 0.5
    below = floor(at)
    share = at - below
    return [
        (axis.start + min(max(index, 0), axis.seen - 1), weight)
        for index, weight in ((below, 1 - share), (below + 1, share))
    ]
