"""How far scores may be off because of the pictures that happened to be scored: the bootstrap over pictures.

Of N pictures, N are drawn with replacement and scored by the rule in `scores.py`, again and again; an interval leaves
out the same share of these resamples at either end. Pictures are drawn, not pixels, as pixels of one picture go wrong
together. What pictures of another camera, place or time would give, no interval tells.

Axes: P pictures, K classes, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from atrous.evaluation.picture_counts import PictureCounts

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95
# One picture has no spread, and the interval of two is little better; below this, people are warned.
LEAST_PICTURES = 2
# Drawn at a time, so that memory does not grow with the number of resamples.
DRAWN_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Interval:
    """The range in which the middle 95 % of the resamples lie."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low

    def as_json(self) -> list[float]:
        """Low and high."""
        return [self.low, self.high]


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of one set of scores; None where the score itself is n/a.

    Attributes:
        mean_iou: of the mean over classes. A class that a resample does not hold is not averaged there.
        pixel_accuracy: of the share of pixels that are right.
        classes: of each class's IoU, in order of ids, over the resamples that hold the class.
        pictures: how many were drawn from.
    """

    mean_iou: Interval | None
    pixel_accuracy: Interval | None
    classes: tuple[Interval | None, ...]
    pictures: int
    level: float = LEVEL
    resamples: int = RESAMPLES
    seed: int = SEED

    def as_json(self) -> dict[str, Any]:
        """Plain values: each interval as `[low, high]`."""
        return {
            "level": self.level,
            "pictures": self.pictures,
            "resamples": self.resamples,
            "seed": self.seed,
            "mean_iou": interval_json(self.mean_iou),
            "pixel_accuracy": interval_json(self.pixel_accuracy),
            "classes": [interval_json(interval) for interval in self.classes],
        }


@dataclass(frozen=True, slots=True)
class PairedIntervals:
    """How sure the difference of two models is: second minus first, both on the same resamples.

    Attributes:
        mean_iou: of the difference of the means over classes.
        classes: of the difference of each class's IoU, in order of ids.
        share_better: resamples in which the second model's mean is the higher, equal ones counted half; None if n/a.
    """

    mean_iou: Interval | None
    classes: tuple[Interval | None, ...]
    share_better: float | None
    pictures: int


def interval_json(interval: Interval | None) -> list[float] | None:
    """Low and high, or null."""
    return interval.as_json() if interval else None


def write_interval(interval: Interval | None, digits: int = 3) -> str:
    """The interval as people read it, such as `[0.541, 0.586]`; empty if there is none."""
    return f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]" if interval else ""


def find_intervals(
    counts: PictureCounts, *, first_class: int = 0, resamples: int = RESAMPLES, seed: int = SEED
) -> Intervals | None:
    """The intervals of the scores of some pictures; None if there are fewer than two.

    2000 resamples of 1000 pictures with 12 classes take about 0.1 s on one core.

    Args:
        counts: of the pictures.
        first_class: the mean is over the classes from this one on; 1 leaves background out.
        resamples: how many to draw.
        seed: the same one draws the same resamples.
    """
    if len(counts) < LEAST_PICTURES:
        return None
    ious, accuracies = zip(*_score_resamples(counts, resamples=resamples, seed=seed), strict=True)
    iou_RK = np.concatenate(ious)
    return Intervals(
        mean_iou=_find_interval(_mean_known(iou_RK[:, first_class:])),
        pixel_accuracy=_find_interval(np.concatenate(accuracies)),
        classes=tuple(_find_interval(iou_R) for iou_R in iou_RK.T),
        pictures=len(counts),
        resamples=resamples,
        seed=seed,
    )


def find_paired_intervals(
    first: PictureCounts, second: PictureCounts, *, resamples: int = RESAMPLES, seed: int = SEED
) -> PairedIntervals | None:
    """The intervals of the difference of two models, second minus first; None for fewer than two pictures.

    Raises:
        InvalidInputError: if they were not scored on the same labels in the same order.
    """
    if not np.array_equal(first.label_PK, second.label_PK):
        raise InvalidInputError("the two models were scored on different pictures; score both on the same split")
    if len(first) < LEAST_PICTURES:
        return None
    iou_RK, other_RK = (
        np.concatenate([iou_RK for iou_RK, _ in _score_resamples(counts, resamples=resamples, seed=seed)])
        for counts in (first, second)
    )
    # A class that one of them predicts and nobody labels has an IoU of 0 there and none with the other.
    gain_R = _mean_known(other_RK) - _mean_known(iou_RK)
    known_R = gain_R[~np.isnan(gain_R)]
    return PairedIntervals(
        mean_iou=_find_interval(gain_R),
        classes=tuple(_find_interval(gain_R) for gain_R in (other_RK - iou_RK).T),
        share_better=float(np.mean((np.sign(known_R) + 1) / 2)) if known_R.size else None,
        pictures=len(first),
    )


def _score_resamples(
    counts: PictureCounts, *, resamples: int, seed: int
) -> Generator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """iou_RK and accuracy_R of some resamples at a time; NaN where there is nothing to divide by."""
    rng, pictures = np.random.default_rng(seed), len(counts)
    # Exact: sums of pixels stay far below 2 ** 53.
    found_PK, label_PK, predicted_PK = (
        counts_PK.astype(np.float64) for counts_PK in (counts.found_PK, counts.label_PK, counts.predicted_PK)
    )
    step = max(1, DRAWN_AT_ONCE // pictures)
    for done in range(0, resamples, step):
        times_RP = _draw_pictures(rng, pictures, min(step, resamples - done))
        found_RK, label_RK, predicted_RK = times_RP @ found_PK, times_RP @ label_PK, times_RP @ predicted_PK
        iou_RK = _divide(found_RK, label_RK + predicted_RK - found_RK)
        yield iou_RK, _divide(found_RK.sum(axis=1), label_RK.sum(axis=1))


def _draw_pictures(rng: np.random.Generator, pictures: int, resamples: int) -> NDArray[np.float64]:
    """How often each picture is in each resample."""
    drawn_RP = rng.integers(0, pictures, (resamples, pictures))
    places_RP = drawn_RP + pictures * np.arange(resamples)[:, None]
    return np.bincount(places_RP.ravel(), minlength=resamples * pictures).reshape(resamples, pictures).astype(float)


def _find_interval(score_R: NDArray[np.float64]) -> Interval | None:
    known_R = score_R[~np.isnan(score_R)]
    if not known_R.size:
        return None
    left_out = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(known_R, [left_out, 100 - left_out])
    return Interval(float(low), float(high))


def _mean_known(iou_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    is_known_RK = ~np.isnan(iou_RK)
    return _divide(np.where(is_known_RK, iou_RK, 0).sum(axis=1), is_known_RK.sum(axis=1))


def _divide(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)
