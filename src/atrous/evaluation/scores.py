"""Scores of a confusion matrix, and the rule they are computed by.

A ratio over nothing is `None`, shown as n/a: a class that is neither in the labels nor in the predictions has no scores
at all, one that is never predicted has no precision, one that no label has has no recall.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.evaluation.intervals import Intervals

RULE = (
    "Scores come from one int64 confusion matrix over all pixels of the dataset, at each picture's own size, with void "
    "pixels excluded. Background counts as a class; a class absent from both labels and predictions is n/a and not "
    "averaged."
)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well one class was found; ratios are 0 to 1, or None where there is nothing to divide by.

    Attributes:
        iou: pixels that label and prediction share, of those that either has.
        precision: share of the predicted pixels that are right.
        recall: share of the labelled pixels that were found.
        f1: harmonic mean of precision and recall, also called Dice.
        label_pixels: pixels whose label is this class.
        predicted_pixels: pixels predicted as this class where the label is not void.
    """

    name: str
    iou: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    label_pixels: int
    predicted_pixels: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one confusion matrix.

    Attributes:
        mean_iou: mean over the classes whose IoU is not None; None if no pixel was scored.
        pixel_accuracy: share of the scored pixels whose prediction is right.
        classes: in order of ids.
        intervals: how far they may be off; None where that is not known.
    """

    mean_iou: float | None
    pixel_accuracy: float | None
    classes: tuple[ClassScores, ...]
    intervals: Intervals | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values with the rule they were computed by; n/a is null."""
        return {
            "rule": RULE,
            "mean_iou": self.mean_iou,
            "pixel_accuracy": self.pixel_accuracy,
            "interval": self.intervals.as_json() if self.intervals else None,
            "classes": [asdict(of_class) for of_class in self.classes],
        }


def compute_scores(counts_KK: NDArray[np.int64], class_map: ClassMap) -> Scores:
    """Give the scores of a confusion matrix.

    Args:
        counts_KK: rows are labels, columns are predictions.
        class_map: names of the K classes.

    Raises:
        InvalidInputError: if the matrix is not K by K.
    """
    if counts_KK.shape != (len(class_map), len(class_map)):
        raise InvalidInputError(f"a confusion matrix of shape {counts_KK.shape} is not one of {len(class_map)} classes")
    found_K = [int(count) for count in counts_KK.diagonal()]
    label_K = [int(count) for count in counts_KK.sum(axis=1)]
    predicted_K = [int(count) for count in counts_KK.sum(axis=0)]
    classes = tuple(
        _score_class(name, found, in_label, predicted)
        for name, found, in_label, predicted in zip(class_map.names, found_K, label_K, predicted_K, strict=True)
    )
    ious = [of_class.iou for of_class in classes if of_class.iou is not None]
    return Scores(
        mean_iou=fmean(ious) if ious else None,
        pixel_accuracy=_divide(sum(found_K), sum(label_K)),
        classes=classes,
    )


def _score_class(name: str, found: int, in_label: int, predicted: int) -> ClassScores:
    return ClassScores(
        name=name,
        iou=_divide(found, in_label + predicted - found),
        precision=_divide(found, predicted),
        recall=_divide(found, in_label),
        f1=_divide(2 * found, in_label + predicted),
        label_pixels=in_label,
        predicted_pixels=predicted,
    )


def _divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None
