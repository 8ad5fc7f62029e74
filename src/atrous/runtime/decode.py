"""Logits -> label mask and confidence at the picture's own size.

Axes: K classes, h w the network's output, H W the picture. Follows the stock Roboflow runtime: padding is cut from the
logits, the logits (not the probabilities) are resized bilinearly with antialiasing, then softmax and its winner. What
the network did not see is background of confidence 0, whatever the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Placement
    from atrous.bundle.regions import Region
    from atrous.core.sizes import Size


@dataclass(frozen=True, slots=True)
class Prediction:
    """Both arrays have the picture's size: `mask_HW` uint8 class ids, `confidence_HW` float32, 0 to 1."""

    mask_HW: NDArray[np.uint8]
    confidence_HW: NDArray[np.float32]


def decode_logits(logits_Khw: NDArray[np.float32], placement: Placement) -> Prediction:
    """Find the winning class of each pixel of the picture and its softmax probability.

    One class is resized at a time and the softmax denominator is carried along, so memory is four pictures of float32,
    however many classes there are.

    Args:
        logits_Khw: raw scores of the whole network input, at any stride, K from 2 to 255.
        placement: where the picture lay in the network's input.
    """
    seen = _decode_window(_cut_padding(logits_Khw, placement), placement.window.size)
    if placement.window.size == placement.picture:
        return seen
    return join_tiles(placement.picture, [(placement.window, seen)])


def _decode_window(inner_Khw: NDArray[np.float32], size: Size) -> Prediction:
    best_HW = _resize_plane(inner_Khw[0], size)
    mask_HW = np.zeros(best_HW.shape, np.uint8)
    total_HW = np.ones_like(best_HW)
    for class_id in range(1, len(inner_Khw)):
        scores_HW = _resize_plane(inner_Khw[class_id], size)
        wins_HW = scores_HW > best_HW
        lead_HW = cv2.exp(-cv2.absdiff(scores_HW, best_HW))
        # Softmax relative to the best score so far: a new winner rescales what was summed before it.
        np.copyto(total_HW, np.where(wins_HW, total_HW * lead_HW + 1, total_HW + lead_HW))
        mask_HW[wins_HW] = class_id
        np.maximum(best_HW, scores_HW, out=best_HW)
    return Prediction(mask_HW, np.asarray(1 / total_HW, np.float32))


def join_tiles(picture: Size, tiles: Iterable[tuple[Region, Prediction]]) -> Prediction:
    """Put the answers for parts of a picture together; where no part was, it is background of confidence 0."""
    shape = picture.height, picture.width
    mask_HW, confidence_HW = np.full(shape, BACKGROUND_ID, np.uint8), np.zeros(shape, np.float32)
    for region, seen in tiles:
        mask_HW[region.slices] = seen.mask_HW
        confidence_HW[region.slices] = seen.confidence_HW
    return Prediction(mask_HW, confidence_HW)


def apply_threshold(prediction: Prediction, threshold: float) -> Prediction:
    """Turn pixels whose confidence is below the threshold into background of confidence 0."""
    below_HW = prediction.confidence_HW < threshold
    return Prediction(
        np.where(below_HW, np.uint8(BACKGROUND_ID), prediction.mask_HW),
        np.where(below_HW, np.float32(0), prediction.confidence_HW),
    )


def confidence_levels(confidence_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Confidence as 0 to 255, truncated as the stock server does."""
    return (confidence_HW * 255).astype(np.uint8)


def _cut_padding(logits_Khw: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    height, width = logits_Khw.shape[1:]
    by_y, by_x = height / placement.canvas.height, width / placement.canvas.width
    inner = placement.inner
    bottom_px = placement.canvas.height - inner.top - inner.size.height
    right_px = placement.canvas.width - inner.left - inner.size.width
    top, left = round(by_y * inner.top), round(by_x * inner.left)
    bottom, right = height - round(by_y * bottom_px), width - round(by_x * right_px)
    return logits_Khw[:, top : max(bottom, top + 1), left : max(right, left + 1)]


def _resize_plane(plane_hw: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Bilinear with half-pixel centres; shrinking sides are antialiased by a triangle as wide as the scale."""
    height, width = plane_hw.shape
    if size.height >= height and size.width >= width:
        resized = cv2.resize(np.ascontiguousarray(plane_hw), (size.width, size.height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)
    rows_Hh = _triangle_weights(height, size.height)
    columns_wW = _triangle_weights(width, size.width).T
    return np.ascontiguousarray(rows_Hh @ plane_hw @ columns_wW, np.float32)


def _triangle_weights(source: int, target: int) -> NDArray[np.float32]:
    """Weights [target, source] of an antialiased bilinear resize; each row sums to 1."""
    scale = source / target
    support = max(scale, 1.0)
    centres_T1 = (np.arange(target)[:, None] + 0.5) * scale
    distance_TS = np.abs(np.arange(source)[None, :] + 0.5 - centres_T1) / support
    weights_TS = np.clip(1 - distance_TS, 0, None)
    return (weights_TS / weights_TS.sum(axis=1, keepdims=True)).astype(np.float32)
