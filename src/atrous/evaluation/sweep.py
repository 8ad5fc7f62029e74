"""Confusion at every threshold at once, from one pass over the pictures.

A pixel is counted under its label, its winner and the highest threshold that it stands, found by the comparison that
the server makes, so that each of the matrices is exact. Histograms of the same classes add up.

Axes: K classes (labels first, winners or predictions second), T thresholds 0.00, 0.01 to 1.00, N pixels, H W picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import BACKGROUND_ID, VOID_ID
from atrous.evaluation.confusion import BLOCK_PX, check_known_labels, check_pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.evaluation.predicted import Predicted

PERCENTS = range(101)
# float32, as the server brings a threshold to the type of the confidence before it compares them.
THRESHOLDS_T = np.array([percent / 100 for percent in PERCENTS], np.float32)


def count_levels(label_HW: NDArray[np.uint8], predicted: Predicted, *, class_count: int) -> NDArray[np.int64]:
    """Count a picture's pixels by label, winner and the highest threshold that the winner stands, void left out.

    About 130 ms for 1920x1080 on one core.

    Args:
        label_HW: class ids, 255 where void.
        predicted: winners and their confidence, before any threshold.
        class_count: K, 1 to 255.

    Returns:
        levels_KKT of this picture.

    Raises:
        InvalidInputError: if the sizes differ, or an id is K or more.
    """
    check_pair(label_HW, predicted.mask_HW, class_count)
    label_N, winner_N, confidence_N = label_HW.ravel(), predicted.mask_HW.ravel(), predicted.confidence_HW.ravel()
    shape = class_count, class_count, len(PERCENTS)
    levels = np.zeros(shape, np.int64).ravel()
    for start in range(0, len(label_N), BLOCK_PX):
        block = slice(start, start + BLOCK_PX)
        is_known_N = label_N[block] != VOID_ID
        known_N = label_N[block][is_known_N]
        check_known_labels(known_N, class_count)
        level_N = np.searchsorted(THRESHOLDS_T, confidence_N[block][is_known_N], side="right") - 1
        pair_N = known_N.astype(np.int64) * class_count + winner_N[block][is_known_N]
        levels += np.bincount(pair_N * len(PERCENTS) + level_N, minlength=levels.size)
    return levels.reshape(shape)


def sweep_thresholds(levels_KKT: NDArray[np.int64]) -> NDArray[np.int64]:
    """The confusion matrix at each threshold: pixels of winners that do not stand it are predicted background.

    Returns:
        counts_KKT; `[:, :, t]` is what a server answers at t percent.
    """
    counts_KKT = levels_KKT[..., ::-1].cumsum(axis=2)[..., ::-1].copy()
    label_K = levels_KKT.sum(axis=(1, 2))
    counts_KKT[:, BACKGROUND_ID] = label_K[:, None] - counts_KKT[:, BACKGROUND_ID + 1 :].sum(axis=1)
    return counts_KKT


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """How well each class was found at each threshold: 0 to 1, NaN where there is nothing to divide by.

    Attributes:
        iou_KT: pixels that label and prediction share, of those that either has.
        precision_KT: share of the predicted pixels that are right.
        recall_KT: share of the labelled pixels that were found.
        f1_KT: harmonic mean of precision and recall.
    """

    iou_KT: NDArray[np.float64]
    precision_KT: NDArray[np.float64]
    recall_KT: NDArray[np.float64]
    f1_KT: NDArray[np.float64]


def rate_classes(counts_KKT: NDArray[np.int64]) -> Rates:
    """The rates of what `sweep_thresholds` gives."""
    found_KT = np.einsum("kkt->kt", counts_KKT)
    label_KT, predicted_KT = counts_KKT.sum(axis=1), counts_KKT.sum(axis=0)
    return Rates(
        iou_KT=_divide(found_KT, label_KT + predicted_KT - found_KT),
        precision_KT=_divide(found_KT, predicted_KT),
        recall_KT=_divide(found_KT, label_KT),
        f1_KT=_divide(2 * found_KT, label_KT + predicted_KT),
    )


def mean_foreground(rate_KT: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of all classes but background, those that are n/a left out; NaN where all are."""
    foreground_KT = rate_KT[BACKGROUND_ID + 1 :]
    is_known_KT = ~np.isnan(foreground_KT)
    total_T = np.where(is_known_KT, foreground_KT, 0).sum(axis=0)
    return _divide(total_T, is_known_KT.sum(axis=0))


def find_optimum(f1_T: NDArray[np.float64]) -> int | None:
    """The threshold in percent with the highest F1, the lowest of equals; None if no threshold finds anything."""
    best = int(np.nan_to_num(f1_T).argmax())
    return best if f1_T[best] > 0 else None


def _divide(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)
