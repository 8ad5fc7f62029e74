"""A picture cut into tiles that are ready for the network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.preprocessing import Fit
from atrous.bundle.recolouring import Recoloured
from atrous.bundle.regions import Region
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.runtime.tiling import Layout


class TiledPicture:
    """Cuts tiles out of a picture, in the colours that the network sees.

    Args:
        image_HWC: BGR uint8, the area that the tiles cover.
        layout: where they lie.
        preprocessing: its grayscale and contrast are taken.
    """

    def __init__(self, image_HWC: NDArray[np.uint8], layout: Layout, preprocessing: Preprocessing) -> None:
        self._size = Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
        self._colours = Recoloured(image_HWC, preprocessing)
        self._layout = layout

    def cut(self, row: int, column: int) -> NDArray[np.uint8]:
        """Give a tile; what lies outside the picture is mirrored at its border."""
        rows, columns = self._layout.rows, self._layout.columns
        top, left = rows.starts[row] * rows.unit_px, columns.starts[column] * columns.unit_px
        height = min(rows.tile_px, self._size.height - top)
        width = min(columns.tile_px, self._size.width - left)
        part_HWC = self._colours.cut(Region(top, left, Size(height=height, width=width)))
        below, right = rows.tile_px - height, columns.tile_px - width
        if not (below or right):
            return part_HWC
        return np.asarray(cv2.copyMakeBorder(part_HWC, 0, below, 0, right, cv2.BORDER_REFLECT), np.uint8)


def keep_normalising(preprocessing: Preprocessing) -> Preprocessing:
    """What is left to be done with a tile: it has the shape and the colours that the network sees."""
    return replace(preprocessing, fit=Fit.STRETCH, crop=None, grayscale=False, contrast=None, tiles=None)
