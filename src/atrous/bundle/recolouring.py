"""Colours of a large picture changed part by part, as they would be for the whole at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.contrast import Contrast, find_curve, make_grey, raise_contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.bundle.regions import Region

# Rows looked at together where the whole picture is, so that no copy of it is made.
BAND_HEIGHT = 256


class Recoloured:
    """A picture in the colours that a network sees; its contrast is judged by the whole.

    Only adaptive contrast, in which each pixel depends on others far away, makes a copy of the picture.

    Args:
        image_HWC: BGR uint8, what the static crop left.
        preprocessing: its grayscale and contrast are taken.
    """

    def __init__(self, image_HWC: NDArray[np.uint8], preprocessing: Preprocessing) -> None:
        self._image_HWC = image_HWC
        self._is_grey = preprocessing.grayscale
        self._curve_L: NDArray[np.uint8] | None = None
        if preprocessing.contrast is Contrast.ADAPTIVE:
            self._image_HWC = raise_contrast(self._take_colour(image_HWC), Contrast.ADAPTIVE)
            self._is_grey = False
        elif preprocessing.contrast is not None:
            bands = (image_HWC[top : top + BAND_HEIGHT] for top in range(0, len(image_HWC), BAND_HEIGHT))
            self._curve_L = find_curve(map(self._take_colour, bands), preprocessing.contrast)

    def cut(self, region: Region) -> NDArray[np.uint8]:
        """Give a part, BGR uint8."""
        part_HWC = self._take_colour(self._image_HWC[region.slices])
        return part_HWC if self._curve_L is None else np.asarray(cv2.LUT(part_HWC, self._curve_L), np.uint8)

    def _take_colour(self, part_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return make_grey(part_HWC) if self._is_grey else part_HWC
