"""Colour taken out of a picture, and its contrast raised in one of three ways.

The stock Roboflow runtime calls scikit-image, whose numbers are followed here, and faster, without depending on it.
Axes: H W pixels, C channels, L the 256 levels of a channel.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.bundle.adaptive_contrast import equalize_adaptively

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LEVELS = 256
# What is darker than 2 % or brighter than 98 % of all values is cut off.
STRETCHED_SHARES = (0.02, 0.98)
# Counting widens each value to 64 bits, so it goes by bands of rows.
BAND_HEIGHT = 256


class Contrast(StrEnum):
    """A way to raise contrast."""

    STRETCHING = "stretching"
    HISTOGRAM = "histogram"
    ADAPTIVE = "adaptive"


def raise_contrast(image_HWC: NDArray[np.uint8], contrast: Contrast) -> NDArray[np.uint8]:
    """Give a picture of more contrast; the order of its channels does not matter."""
    if contrast is Contrast.ADAPTIVE:
        return equalize_adaptively(image_HWC)
    bands = (image_HWC[top : top + BAND_HEIGHT] for top in range(0, len(image_HWC), BAND_HEIGHT))
    return np.asarray(cv2.LUT(image_HWC, find_curve(bands, contrast)), np.uint8)


def make_grey(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A BGR picture without colour, in three equal channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image_HWC, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def find_curve(bands: Iterable[NDArray[np.uint8]], contrast: Contrast) -> NDArray[np.uint8]:
    """Give what each level of a picture becomes, by its parts; not of adaptive contrast, which has no one curve."""
    counts_L = np.zeros(LEVELS, np.int64)
    for band_HWC in bands:
        counts_L += np.bincount(band_HWC.ravel(), minlength=LEVELS)
    return _stretch(counts_L) if contrast is Contrast.STRETCHING else _equalize(counts_L)


def _stretch(counts_L: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Levels between two percentiles spread over all levels."""
    darkest, brightest = (_percentile(counts_L, share) for share in STRETCHED_SHARES)
    levels_L = np.clip(np.arange(LEVELS, dtype=np.float64), darkest, brightest)
    if darkest == brightest:
        return levels_L.astype(np.uint8)
    return ((levels_L - darkest) / (brightest - darkest) * (LEVELS - 1)).astype(np.uint8)


def _percentile(counts_L: NDArray[np.int64], share: float) -> float:
    """The level below which this share of the values lies, interpolated between the two nearest values."""
    ends_L = counts_L.cumsum()
    rank = float(ends_L[-1] - 1) * share
    below = math.floor(rank)
    lower, upper = (int((ends_L <= whole_rank).sum()) for whole_rank in (below, math.ceil(rank)))
    return lower + (upper - lower) * (rank - below)


def _equalize(counts_L: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Each level replaced by the share of values up to it, over 256 bins between the darkest and the brightest."""
    levels_L = np.arange(LEVELS, dtype=np.float32) / np.float32(LEVELS - 1)
    present_L = counts_L > 0
    binned: tuple[NDArray[Any], NDArray[Any]] = np.histogram(
        levels_L[present_L], bins=LEVELS, weights=counts_L[present_L]
    )
    counts, edges = binned
    shares: NDArray[np.float32] = (counts.cumsum() / counts.sum()).astype(np.float32)
    curve_L: NDArray[np.float64] = np.interp(levels_L, (edges[:-1] + edges[1:]) / 2, shares)
    return (curve_L.astype(np.float32) * np.float32(LEVELS - 1)).astype(np.uint8)
