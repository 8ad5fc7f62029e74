"""Whether confidence means what it says: of the pixels that a model is 80 % sure of, 80 % should be right.

Axes: B bins of confidence, F figures (pixels, of these right, sum of their confidence), H W picture, N pixels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15
FIGURES = 3
CALIBRATION_RULE = (
    "Each pixel's likeliest class with its confidence, before any threshold, void and what the network did not see "
    "left out; 15 bins of equal width. The expected calibration error (ECE) is the mean over pixels of the distance "
    "between the share that is right and the mean confidence of their bin."
)


@dataclass(frozen=True, slots=True)
class Bin:
    """Pixels of like confidence.

    Attributes:
        low: confidence above which pixels are in this bin; that of `high` is in it.
        pixels: how many.
        confidence: their mean; None if there are none.
        accuracy: share of them that are right; None if there are none.
    """

    low: float
    high: float
    pixels: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """The reliability curve of a model and its expected calibration error, 0 to 1; None if no pixel was counted."""

    ece: float | None
    bins: tuple[Bin, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"ece": self.ece, "bins": list(map(asdict, self.bins))}


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidence can be trusted.

    Attributes:
        before: of confidence as it is, which is what a server answers by default.
        temperature: the model's; None if it has none.
        after: of confidence at that temperature; None without one.
    """

    before: Reliability
    temperature: float | None = None
    after: Reliability | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule."""
        return {
            "rule": CALIBRATION_RULE,
            "temperature": self.temperature,
            "before": self.before.as_json(),
            "after": self.after.as_json() if self.after else None,
        }


def count_confidence(
    label_HW: NDArray[np.uint8], mask_HW: NDArray[np.uint8], confidence_HW: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Count the pixels of a picture by confidence.

    Args:
        label_HW: class ids, 255 where void.
        mask_HW: ids of the winners.
        confidence_HW: probability of the winners, 0 to 1; 0 where the network saw nothing.

    Returns:
        counts_FB; those of pictures add up.
    """
    # A winner's probability is never 0.
    is_counted_HW = (label_HW != VOID_ID) & (confidence_HW > 0)
    return count_right(confidence_HW[is_counted_HW], (mask_HW == label_HW)[is_counted_HW])


def count_right(confidence_N: NDArray[np.floating[Any]], is_right_N: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count pixels by confidence, as `count_confidence` does."""
    bin_N = np.clip(np.ceil(confidence_N * BINS).astype(np.intp) - 1, 0, BINS - 1)
    figures = np.ones(len(bin_N)), is_right_N, confidence_N
    return np.array([np.bincount(bin_N, figure_N, BINS) for figure_N in figures], np.float64)


def measure_reliability(counts_FB: NDArray[np.float64]) -> Reliability:
    """The curve of what was counted."""
    pixels_B, right_B, confidence_B = counts_FB
    total = pixels_B.sum()
    bins = tuple(
        Bin(place / BINS, (place + 1) / BINS, int(pixels), *_share(confidence, right, pixels))
        for place, (pixels, right, confidence) in enumerate(zip(pixels_B, right_B, confidence_B, strict=True))
    )
    return Reliability(float(np.abs(right_B - confidence_B).sum() / total) if total else None, bins)


def _share(confidence: float, right: float, pixels: float) -> tuple[float, float] | tuple[None, None]:
    return (float(confidence / pixels), float(right / pixels)) if pixels else (None, None)
