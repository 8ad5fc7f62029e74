"""Pictures for networks that have no dataset: blurred noise, which excites more of a network than a plain colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.sizes import Size

SEED = 0
# From coarse patches to grain, so that something is there at each scale.
CELLS = (4, 16, 64)


def draw_pictures(size: Size, count: int) -> list[NDArray[np.uint8]]:
    """Pictures [H, W, 3], BGR, the same ones each time."""
    rng = np.random.default_rng(SEED)
    return [_draw(rng, size) for _ in range(count)]


def _draw(rng: np.random.Generator, size: Size) -> NDArray[np.uint8]:
    layers_NHWC = [
        cv2.resize(rng.uniform(0, 255, (cells, cells, 3)), (size.width, size.height), interpolation=cv2.INTER_CUBIC)
        for cells in CELLS
    ]
    return np.clip(np.mean(layers_NHWC, axis=0), 0, 255).astype(np.uint8)
