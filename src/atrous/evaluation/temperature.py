"""One number that makes a model's confidence mean what it says: what all logits are divided by.

Dividing changes no winner, only how sure it is (Guo and others, On calibration of modern neural networks, 2017).

Axes: N pixels, K classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.evaluation.calibration import count_right, measure_reliability

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A model that is right about every pixel it was shown would take 0, one that knows nothing infinity.
LOWEST, HIGHEST = 0.1, 10.0
# Halvings of the logarithm of that range, after which the temperature is known to 5 digits.
HALVINGS = 20
TEMPERATURE_RULE = (
    "Logits are divided by the temperature, which minimises the negative log-likelihood of the labels of pixels drawn "
    "at random from pictures of valid, void left out; both errors are of these pixels, in 15 bins."
)


@dataclass(frozen=True, slots=True)
class Temperature:
    """A fitted temperature.

    Attributes:
        temperature: above 1 where the model is too sure, below where it is not sure enough.
        ece_before: expected calibration error of the pixels without it, 0 to 1.
        ece_after: with it.
        pixels: it was fitted on.
    """

    temperature: float
    ece_before: float
    ece_after: float
    pixels: int

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule."""
        return asdict(self) | {"rule": TEMPERATURE_RULE}


def fit_temperature(logits_NK: NDArray[np.float32], label_N: NDArray[np.uint8]) -> Temperature | None:
    """Find the temperature for some pixels; None if there are none.

    About 0.5 s for 100,000 pixels of 12 classes.

    Args:
        logits_NK: raw scores.
        label_N: their true classes, none of them void.
    """
    if not len(label_N):
        return None
    scores_NK = logits_NK.astype(np.float64)
    scores_NK -= scores_NK.max(axis=1, keepdims=True)
    temperature = _find_temperature(scores_NK, label_N)
    before, after = (_measure_ece(scores_NK / divisor, label_N) for divisor in (1.0, temperature))
    return Temperature(temperature, before, after, len(label_N))


def _find_temperature(scores_NK: NDArray[np.float64], label_N: NDArray[np.uint8]) -> float:
    """Where the loss stops to fall; it is convex in the inverse of the temperature, so halving the range finds it."""
    true_mean = float(scores_NK[np.arange(len(label_N)), label_N].mean())
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        share_NK = _softmax(scores_NK * np.exp(-middle))
        expected_mean = float((share_NK * scores_NK).sum(axis=1).mean())
        if expected_mean <= true_mean:
            # Labels score as well as the model expects, or better: it may be surer.
            high = middle
        else:
            low = middle
    return float(np.exp((low + high) / 2))


def _measure_ece(scores_NK: NDArray[np.float64], label_N: NDArray[np.uint8]) -> float:
    confidence_N = _softmax(scores_NK).max(axis=1)
    ece = measure_reliability(count_right(confidence_N, scores_NK.argmax(axis=1) == label_N)).ece
    assert ece is not None  # noqa: S101  (there are pixels)
    return ece


def _softmax(scores_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of scores whose highest is 0."""
    exp_NK = np.exp(scores_NK)
    return exp_NK / exp_NK.sum(axis=1, keepdims=True)
