"""All classes' logits at some pixels of a picture; where answers are made, only the winners' are.

Axes: K classes, h w the network's output, N pixels, H W picture, C channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.preprocessing import TILE_STEPS, locate_tiles, skip_steps
from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size
from atrous.runtime.decode import cut_padding
from atrous.runtime.pixels import interpolate_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Placement, Step
    from atrous.runtime.engine import Engine


def score_points(
    engine: Engine,
    image_HWC: NDArray[np.uint8],
    rows_N: NDArray[np.intp],
    columns_N: NDArray[np.intp],
    skipped: Collection[Step] = (),
) -> NDArray[np.float32]:
    """Give the logits of pixels of a BGR picture, as `Engine.predict` compares them.

    Args:
        engine: predicts.
        image_HWC: uint8, its orientation settled by whoever decoded it.
        rows_N: of the pixels.
        columns_N: of the pixels.
        skipped: steps of the bundle's preprocessing to leave out for this picture.

    Returns:
        logits_NK; NaN for pixels that the network does not see.
    """
    preprocessing = skip_steps(engine.bundle.preprocessing, skipped)
    if preprocessing.tiles is None:
        return pick_points(*engine.score(image_HWC, preprocessing), rows_N, columns_N)
    logits_NK = np.full((len(rows_N), len(engine.bundle.class_map)), np.nan, np.float32)
    steps = skip_steps(preprocessing, TILE_STEPS)
    for region in locate_tiles(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing):
        scored = engine.score(image_HWC[region.slices], steps)
        _fill_points(logits_NK, *scored, rows_N - region.top, columns_N - region.left)
    return logits_NK


def pick_points(
    logits_Khw: NDArray[np.float32],
    placement: Placement,
    rows_N: NDArray[np.intp],
    columns_N: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Give the logits of pixels of a picture that has been scored; NaN for those that the network did not see.

    Args:
        logits_Khw: raw scores of the whole network input, at any stride.
        placement: where the picture lay in the network's input.
        rows_N: of the pixels in the picture.
        columns_N: of the pixels in the picture.
    """
    logits_NK = np.full((len(rows_N), len(logits_Khw)), np.nan, np.float32)
    _fill_points(logits_NK, logits_Khw, placement, rows_N, columns_N)
    return logits_NK


def draw_points(
    label_HW: NDArray[np.uint8],
    count: int,
    rng: np.random.Generator,
    score: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Give logits_NK and label_N of pixels drawn at random, but those that are void or that the network does not see.

    Args:
        label_HW: class ids, 255 where void.
        count: pixels to draw.
        rng: draws.
        score: logits_NK of the pixels in rows_N and columns_N, NaN where they are not seen.
    """
    rows_N, columns_N = (rng.integers(0, side_px, count) for side_px in label_HW.shape)
    label_N, logits_NK = label_HW[rows_N, columns_N], score(rows_N, columns_N)
    is_kept_N = (label_N != VOID_ID) & ~np.isnan(logits_NK).any(axis=1)
    return logits_NK[is_kept_N], label_N[is_kept_N]


def _fill_points(
    logits_NK: NDArray[np.float32],
    logits_Khw: NDArray[np.float32],
    placement: Placement,
    rows_N: NDArray[np.intp],
    columns_N: NDArray[np.intp],
) -> None:
    """Fill the rows of those pixels that lie in the window that the network saw."""
    window = placement.window
    inner_rows_N, inner_columns_N = rows_N - window.top, columns_N - window.left
    is_seen_N = (inner_rows_N >= 0) & (inner_rows_N < window.size.height)
    is_seen_N &= (inner_columns_N >= 0) & (inner_columns_N < window.size.width)
    grid_Khw = cut_padding(logits_Khw, placement)
    seen = inner_rows_N[is_seen_N], inner_columns_N[is_seen_N]
    logits_NK[is_seen_N] = interpolate_pixels(grid_Khw, window.size.height, window.size.width, *seen).T
