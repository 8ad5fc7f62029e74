"""A grid of logits spread over a window of a picture, strip by strip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.bundle.regions import Region
    from atrous.runtime.crew import Crew

STRIP_ROWS = 64


class Axis(NamedTuple):
    """Which logit comes before each pixel along a side, and the share of the one after it, 0 to 1."""

    before: NDArray[np.int32]
    share_after: NDArray[np.float32]


class Decoder:
    """Finds winner and confidence of every pixel of a window that the grid covers.

    Bilinear with half-pixel centres; shrinking sides are antialiased by a triangle as wide as the scale.

    Args:
        grid_Khw: raw scores, K from 2 to 255; axes h w cover the window.
        window: of the picture.
        threshold: pixels of less confidence become background of confidence 0.
        error: how far confidence may be off, for the sake of speed.
        axes: where the window's rows and columns lie on a grid that covers more; each cell has a pixel or more.
    """

    def __init__(
        self,
        grid_Khw: NDArray[np.float32],
        window: Region,
        threshold: float,
        error: float,
        axes: tuple[Axis, Axis] | None = None,
    ) -> None:
        if axes is None:
            # A side that shrinks is brought to its length first, which leaves no more to resize there.
            height, width = grid_Khw.shape[1:]
            grid_Khw = resize_grid(grid_Khw, min(height, window.size.height), min(width, window.size.width))
            axes = _locate(grid_Khw.shape[1], window.size.height), _locate(grid_Khw.shape[2], window.size.width)
        self._grid_Khw = np.ascontiguousarray(grid_Khw, np.float32)
        self._rows, self._columns = axes
        self._window = window
        self._threshold = np.float32(threshold)
        self._error = error

    def fill(self, mask_HW: NDArray[np.uint8], confidence_HW: NDArray[Any], crew: Crew) -> None:
        """Write the window's part of arrays of the picture's size.

        Args:
            mask_HW: class ids.
            confidence_HW: float32 for 0 to 1, uint8 for 0 to 255, truncated as the stock server does.
            crew: threads that help.
        """
        height = self._window.size.height

        def fill_strip(strip: int) -> None:
            first = strip * STRIP_ROWS
            self._fill_rows(first, min(first + STRIP_ROWS, height), mask_HW, confidence_HW)

        crew.share(-(-height // STRIP_ROWS), fill_strip)

    def _fill_rows(self, first: int, last: int, mask_HW: NDArray[np.uint8], confidence_HW: NDArray[Any]) -> None:
        # The compiler takes half a second to import, and is needed by nobody who predicts nothing.
        from atrous.runtime import pixel_kernel  # noqa: PLC0415

        is_levels = confidence_HW.dtype == np.uint8
        pixel_kernel.decode_rows(
            self._grid_Khw,
            self._rows,
            self._columns,
            first,
            last,
            pixel_kernel.margin_of(self._error, len(self._grid_Khw)),
            self._threshold,
            self._window.top,
            self._window.left,
            mask_HW,
            NO_CONFIDENCE if is_levels else confidence_HW,
            confidence_HW if is_levels else NO_LEVELS,
        )


def resize_grid(grid_Khw: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Bring logits to another grid of the same window, bilinearly, antialiased where a side shrinks."""
    if height != grid_Khw.shape[1]:
        grid_Khw = np.matmul(_triangle_weights(grid_Khw.shape[1], height), grid_Khw)
    if width != grid_Khw.shape[2]:
        grid_Khw = np.matmul(grid_Khw, _triangle_weights(grid_Khw.shape[2], width).T)
    return grid_Khw


def interpolate_pixels(
    grid_Khw: NDArray[np.float32], height: int, width: int, rows_N: NDArray[np.intp], columns_N: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Logits of some pixels of a window that the grid covers, as `Decoder` has them; the result is logits_KN."""
    grid_Khw = resize_grid(grid_Khw, min(height, grid_Khw.shape[1]), min(width, grid_Khw.shape[2]))
    rows, columns = _locate(grid_Khw.shape[1], height), _locate(grid_Khw.shape[2], width)
    upper_N, left_N = rows.before[rows_N], columns.before[columns_N]
    lower_N, right_N = _follow(upper_N, grid_Khw.shape[1]), _follow(left_N, grid_Khw.shape[2])
    down_N, across_N = rows.share_after[rows_N], columns.share_after[columns_N]
    above_KN = grid_Khw[:, upper_N, left_N] * (1 - across_N) + grid_Khw[:, upper_N, right_N] * across_N
    below_KN = grid_Khw[:, lower_N, left_N] * (1 - across_N) + grid_Khw[:, lower_N, right_N] * across_N
    return (above_KN * (1 - down_N) + below_KN * down_N).astype(np.float32)


NO_CONFIDENCE = np.empty((0, 0), np.float32)
NO_LEVELS = np.empty((0, 0), np.uint8)


def _locate(logits: int, pixels: int) -> Axis:
    centres = (np.arange(pixels) + 0.5) * (logits / pixels) - 0.5
    inside = np.clip(centres, 0, logits - 1)
    before = np.floor(inside).astype(np.int32)
    return Axis(before, (inside - before).astype(np.float32))


def _follow(before_N: NDArray[np.int32], logits: int) -> NDArray[np.int32]:
    return np.minimum(before_N + 1, logits - 1)


def _triangle_weights(source: int, target: int) -> NDArray[np.float32]:
    """Weights [target, source] of a bilinear resize, antialiased where it is to fewer; each row sums to 1."""
    scale = source / target
    centres_T1 = np.clip((np.arange(target)[:, None] + 0.5) * scale, 0.5, source - 0.5)
    distance_TS = np.abs(np.arange(source)[None, :] + 0.5 - centres_T1) / max(scale, 1)
    weights_TS = np.clip(1 - distance_TS, 0, None)
    return (weights_TS / weights_TS.sum(axis=1, keepdims=True)).astype(np.float32)
