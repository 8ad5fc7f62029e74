"""Contrast-limited adaptive histogram equalisation of a picture's brightness.

Source: Zuiderveld 1994, Graphics Gems IV, section VIII.5, in the variant of scikit-image's `equalize_adapthist`: tiles
of an eighth of each side, mirrored borders, 2**14 grey levels. Some results differ from its by one level in 255.
Axes: H W pixels, h w those of a tile, C channels, Y X tiles, L bins of levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLIP_LIMIT = 0.03
TILES_PER_SIDE = 8
GREY_LEVELS = 2**14
BINS = 256
LEVELS_PER_BIN = 1 + GREY_LEVELS // BINS


def equalize_adaptively(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Equalise the brightest channel by its surroundings and scale the others along, so that hue is kept."""
    value_HW = image_HWC.max(axis=2)
    equalized_HW = _stretch(_equalize_tiles(_bin_levels(value_HW)))
    scaled = [_scale(image_HWC[:, :, channel], value_HW, equalized_HW) for channel in range(image_HWC.shape[2])]
    return np.stack(scaled, axis=2)


def _scale(channel_HW: NDArray[np.uint8], value_HW: NDArray[np.uint8], to_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bring a channel from brightest values of 0 to 255 to those of 0 to 1 given, and back to 255."""
    # By what it lacks to the brightest, as in a detour over hue and saturation: so black becomes grey.
    lack_HW = (value_HW - channel_HW) / np.maximum(value_HW, 1).astype(np.float32)
    return (to_HW * (1 - lack_HW) * 255).astype(np.uint8)


def _bin_levels(value_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels between the darkest and the brightest spread over all grey levels, in bins."""
    darkest, brightest = int(value_HW.min()), int(value_HW.max())
    levels_L = np.arange(256.0)
    if darkest == brightest:
        spread_L = np.minimum(levels_L * 257, GREY_LEVELS - 1)
    else:
        spread_L = np.round(
            (np.clip(levels_L, darkest, brightest) - darkest) / (brightest - darkest) * (GREY_LEVELS - 1)
        )
    return np.asarray(cv2.LUT(value_HW, (spread_L // LEVELS_PER_BIN).astype(np.uint8)), np.uint8)


def _equalize_tiles(bins_HW: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Grey levels of each pixel, interpolated between the curves of the four tiles whose centres are around it."""
    height, width = bins_HW.shape
    tile = max(height // TILES_PER_SIDE, 1), max(width // TILES_PER_SIDE, 1)
    padded_HW = _pad_to_tiles(bins_HW, tile)
    curves_YXL = _make_curves(padded_HW, tile)
    grey_HW = np.empty(padded_HW.shape, np.uint16)
    weights_hw = _corner_weights(tile)
    for y, x in np.ndindex(padded_HW.shape[0] // tile[0], padded_HW.shape[1] // tile[1]):
        block = slice(y * tile[0], (y + 1) * tile[0]), slice(x * tile[1], (x + 1) * tile[1])
        total_hw = np.zeros(tile, np.float32)
        for (down, right), weight_hw in zip(np.ndindex(2, 2), weights_hw, strict=True):
            total_hw += (curves_YXL[y + down, x + right][padded_HW[block]] * weight_hw).astype(np.float32)
        grey_HW[block] = total_hw
    top, left = tile[0] // 2, tile[1] // 2
    return grey_HW[top : top + height, left : left + width]


def _pad_to_tiles(bins_HW: NDArray[np.uint8], tile: tuple[int, int]) -> NDArray[np.uint8]:
    """Mirror the borders: half a tile before, and after as much as makes whole tiles and half a one more."""
    before = [side // 2 for side in tile]
    after = [(side - length % side) % side + (side + 1) // 2 for side, length in zip(tile, bins_HW.shape, strict=True)]
    padded_HW = cv2.copyMakeBorder(bins_HW, before[0], after[0], before[1], after[1], cv2.BORDER_REFLECT_101)
    return np.asarray(padded_HW, np.uint8)


def _make_curves(padded_HW: NDArray[np.uint8], tile: tuple[int, int]) -> NDArray[np.int64]:
    """Grey level by bin of each tile; the outermost curves are there twice."""
    (top, left), (height, width) = (tile[0] // 2, tile[1] // 2), tile
    rows, columns = padded_HW.shape[0] // height - 1, padded_HW.shape[1] // width - 1
    curves_YXL = np.empty((rows, columns, BINS), np.int64)
    for y, x in np.ndindex(rows, columns):
        tile_hw = padded_HW[top + y * height : top + (y + 1) * height, left + x * width : left + (x + 1) * width]
        counts_L = _clip_counts(np.bincount(tile_hw.ravel(), minlength=BINS), max(int(CLIP_LIMIT * tile_hw.size), 1))
        levels_L = counts_L.cumsum() * ((GREY_LEVELS - 1) / tile_hw.size)
        curves_YXL[y, x] = np.minimum(levels_L, GREY_LEVELS - 1)
    return np.pad(curves_YXL, [(1, 1), (1, 1), (0, 0)], mode="edge")


def _clip_counts(counts_L: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Cut off what is over the limit and spread it over the other bins."""
    excess = int(np.maximum(counts_L - limit, 0).sum())
    counts_L = np.minimum(counts_L, limit)
    share = excess // BINS
    raised_L = np.where(counts_L < limit - share, counts_L + share, limit)
    excess -= int((raised_L - counts_L).sum())
    while excess > 0 and (raised_L < limit).any():
        excess = _spread_rest(raised_L, excess, limit)
    return raised_L


def _spread_rest(counts_L: NDArray[np.int64], excess: int, limit: int) -> int:
    """Raise bins by one, as evenly spaced as the excess lasts, from each bin onwards in turn; give what is left."""
    for start in range(BINS):
        below_L = counts_L < limit
        step = max(1, int(below_L.sum()) // excess)
        chosen_L = below_L[start::step]
        counts_L[start::step] += chosen_L
        excess -= int(chosen_L.sum())
        if excess <= 0:
            break
    return excess


def _corner_weights(tile: tuple[int, int]) -> list[NDArray[np.float64]]:
    """How much each pixel of a block takes from the tile above left, above right, below left and below right."""
    down_h1, right_w = np.arange(tile[0])[:, None] / tile[0], np.arange(tile[1]) / tile[1]
    return [vertical * sideways for vertical in (1 - down_h1, down_h1) for sideways in (1 - right_w, right_w)]


def _stretch(grey_HW: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Levels from 0 to 1, the darkest to the brightest; a picture of one level becomes black or white."""
    darkest, brightest = float(grey_HW.min()), float(grey_HW.max())
    if darkest == brightest:
        return np.clip(grey_HW, 0, 1).astype(np.float32)
    return ((grey_HW - np.float32(darkest)) / np.float32(brightest - darkest)).astype(np.float32)
