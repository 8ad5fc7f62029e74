"""The few figures that stand for an evaluation.

Unlike `RULE` in `scores.py`, they leave background out, as the platform's figures do: means over the other classes,
each counting the same, those that are n/a left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.evaluation.sweep import find_optimum, mean_foreground

if TYPE_CHECKING:
    from atrous.evaluation.sweep import Rates

METRICS_RULE = (
    "mIoU, precision, recall and f1 are means over the classes other than background, each counting the same, of all "
    "pixels of a split at each picture's own size, void excluded; pixels below the threshold are background; an "
    "optimal threshold is the lowest of those with the highest f1, and the one in force was chosen on valid."
)


def summarise(rates: Rates, percent: int) -> dict[str, float | None]:
    """mIoU, precision, recall and f1 at a threshold; None where n/a."""
    means = {
        "mIoU": rates.iou_KT,
        "precision": rates.precision_KT,
        "recall": rates.recall_KT,
        "f1": rates.f1_KT,
    }
    return {name: number_or_none(mean_foreground(rate_KT)[percent]) for name, rate_KT in means.items()}


def find_best_percent(rates: Rates) -> int | None:
    """The threshold in percent with the highest mean F1; None if nothing but background is ever found."""
    return find_optimum(mean_foreground(rates.f1_KT))


def number_or_none(value: Any) -> float | None:
    """A figure as JSON knows it."""
    return None if np.isnan(value) else float(value)
