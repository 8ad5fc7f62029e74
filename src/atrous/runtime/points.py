"""All classes' logits at some pixels of a picture; where answers are made, only the winners' are.

Axes: K classes, h w the network's output, N pixels, H W picture, C channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.preprocessing import TILE_STEPS, locate_tiles, skip_steps
from atrous.core.sizes import Size
from atrous.runtime.decode import cut_padding
from atrous.runtime.pixels import interpolate_pixels

if TYPE_CHECKING:
    from collections.abc import Collection

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
    logits_NK = np.full((len(rows_N), len(engine.bundle.class_map)), np.nan, np.float32)
    if preprocessing.tiles is None:
        fill_points(logits_NK, *engine.score(image_HWC, preprocessing), rows_N, columns_N)
        return logits_NK
    steps = skip_steps(preprocessing, TILE_STEPS)
    for region in locate_tiles(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing):
        scored = engine.score(image_HWC[region.slices], steps)
        fill_points(logits_NK, *scored, rows_N - region.top, columns_N - region.left)
    return logits_NK


def fill_points(
    logits_NK: NDArray[np.float32],
    logits_Khw: NDArray[np.float32],
    placement: Placement,
    rows_N: NDArray[np.intp],
    columns_N: NDArray[np.intp],
) -> None:
    """Fill the rows of those pixels that lie in the window that the network saw.

    Args:
        logits_NK: filled in place.
        logits_Khw: raw scores of the whole network input, at any stride.
        placement: where the picture lay in the network's input.
        rows_N: of the pixels in the picture.
        columns_N: of the pixels in the picture.
    """
    window = placement.window
    inner_rows_N, inner_columns_N = rows_N - window.top, columns_N - window.left
    is_seen_N = (inner_rows_N >= 0) & (inner_rows_N < window.size.height)
    is_seen_N &= (inner_columns_N >= 0) & (inner_columns_N < window.size.width)
    grid_Khw = cut_padding(logits_Khw, placement)
    seen = inner_rows_N[is_seen_N], inner_columns_N[is_seen_N]
    logits_NK[is_seen_N] = interpolate_pixels(grid_Khw, window.size.height, window.size.width, *seen).T
