"""From the confidence that a caller asks for to the threshold that is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.workspace.evaluations import find_best_threshold

if TYPE_CHECKING:
    from atrous.workspace.records import Model

DEFAULT = 0.4
BEST = "best"
# What the stock server takes for DeepLab models, for "best" too when a package recommends nothing.
NAMED = {"default": 0.5, BEST: 0.5}
# A v0 client may speak in percent; 1 and more cannot be meant as a probability.
LEAST_PERCENT = 1
V0_FLOOR = 0.01


def threshold_of(confidence: float | str | None, model: Model) -> float:
    """The threshold of a JSON body: a number as it is, "best" as its evaluation found it, "default", or nothing."""
    if confidence is None:
        return DEFAULT
    if isinstance(confidence, str):
        found = find_best_threshold(model) if confidence == BEST else None
        return NAMED[confidence] if found is None else found
    return confidence


def threshold_of_query(confidence: float | str | None, model: Model) -> float:
    """The threshold of a v0 query, where numbers of 1 and more are percent and none is below 0.01."""
    threshold = threshold_of(confidence, model)
    if isinstance(confidence, str):
        return threshold
    return max(threshold / 100 if threshold >= LEAST_PERCENT else threshold, V0_FLOOR)
