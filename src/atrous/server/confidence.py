"""From the confidence that a caller asks for to the threshold that is applied."""

from __future__ import annotations

DEFAULT = 0.4
# What the stock server takes for DeepLab models when a package recommends nothing.
NAMED = {"default": 0.5, "best": 0.5}
# A v0 client may speak in percent; 1 and more cannot be meant as a probability.
LEAST_PERCENT = 1
V0_FLOOR = 0.01


def threshold_of(confidence: float | str | None) -> float:
    """The threshold of a JSON body: a number as it is, "best", "default", or nothing."""
    if confidence is None:
        return DEFAULT
    return NAMED[confidence] if isinstance(confidence, str) else confidence


def threshold_of_query(confidence: float | str | None) -> float:
    """The threshold of a v0 query, where 1 and more are percent and nothing is below 0.01."""
    threshold = threshold_of(confidence)
    return max(threshold / 100 if threshold >= LEAST_PERCENT else threshold, V0_FLOOR)
