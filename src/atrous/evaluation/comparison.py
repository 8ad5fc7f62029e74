"""Two models on the same pictures: which is better, how sure that is, and where they differ.

Differences are the second model minus the first. H W picture.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidInputError
from atrous.evaluation.examples import Example, shrink_example
from atrous.evaluation.intervals import find_paired_intervals, interval_json
from atrous.evaluation.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.evaluation.evaluate import Tempered
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.intervals import Interval
    from atrous.evaluation.picture_counts import PictureCounts
    from atrous.evaluation.predicted import Labelled, Predicted
    from atrous.evaluation.scores import Scores

COMPARISON_RULE = (
    "Differences are the second model minus the first. Intervals hold the middle 95 % of 2000 resamples of the "
    "pictures, both models scored on the same ones; where an interval holds 0, the pictures do not tell which is "
    "better. Pictures differ by the share of their labelled pixels, void left out, that the two models answer "
    "differently, as served."
)


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """One class: IoU of both models, None where n/a, and the difference with its interval where both have one."""

    name: str
    first: float | None
    second: float | None
    difference: float | None
    interval: Interval | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"interval": interval_json(self.interval)}


@dataclass(frozen=True, slots=True)
class Difference:
    """How two models differ by one kind of scores.

    Attributes:
        mean_iou: difference of the means over classes; None if either is n/a.
        interval: of that difference; None for fewer than two pictures.
        share_better: resamples in which the second model has the higher mean; equal ones count half.
        classes: in order of ids.
    """

    mean_iou: float | None
    interval: Interval | None
    share_better: float | None
    classes: tuple[ClassDifference, ...]

    @property
    def is_clear(self) -> bool:
        """Whether the pictures tell which model is better: the interval does not hold 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    def as_json(self) -> dict[str, Any]:
        """Plain values; intervals as `[low, high]`."""
        return {
            "mean_iou": self.mean_iou,
            "interval": interval_json(self.interval),
            "share_better": self.share_better,
            "is_clear": self.is_clear,
            "classes": [of_class.as_json() for of_class in self.classes],
        }


@dataclass(frozen=True, slots=True)
class PictureDifference:
    """How two models differ about one picture.

    Attributes:
        share: of the labelled pixels that they answer differently, void left out.
        first: mIoU of the first model's answer; None if all pixels are void.
        second: of the second's.
    """

    name: str
    share: float
    first: float | None
    second: float | None


@dataclass(frozen=True, slots=True, eq=False)
class TwinExample:
    """A small copy of a picture with two answers, as served: one example by the first model, one by the second."""

    share: float
    first: Example
    second: Example


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two models on the same pictures.

    Attributes:
        first: scores of the model that is compared against.
        second: scores of the model in question.
        plain: how they differ by plain winner.
        served: how they differ as served.
        share: of all labelled pixels that they answer differently.
        pictures: most different first; equal ones in the order they came.
        examples: small copies of the first of these.
    """

    first: Evaluation
    second: Evaluation
    plain: Difference
    served: Difference
    share: float
    pictures: tuple[PictureDifference, ...]
    examples: tuple[TwinExample, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; without the small copies."""
        return {
            "rule": COMPARISON_RULE,
            "first": self.first.as_json(),
            "second": self.second.as_json(),
            "plain": self.plain.as_json(),
            "served": self.served.as_json(),
            "share": self.share,
            "pictures": list(map(asdict, self.pictures)),
        }


def compare(
    samples: Iterable[Labelled],
    predict_first: Callable[[NDArray[np.uint8]], Predicted],
    predict_second: Callable[[NDArray[np.uint8]], Predicted],
    class_map: ClassMap,
    *,
    threshold: float,
    example_count: int = 6,
    shown_count: int = 0,
    tempered: Tempered | None = None,
    on_answer: Callable[[Labelled, Predicted], None] | None = None,
    on_picture: Callable[[int], None] | None = None,
) -> Comparison:
    """Score two models in one pass over the pictures.

    Args:
        samples: read once, one at a time.
        predict_first: from image_HWC (BGR uint8) to an answer before any threshold, by the model compared against.
        predict_second: the same, by the model in question.
        class_map: classes of labels and both models.
        threshold: pixels of lower confidence become background as served, 0 to 1.
        example_count: how many of the most different pictures to keep small copies of.
        shown_count: how many worst, best and typical pictures of the second model to keep small copies of, each.
        tempered: the second model at its temperature, whose calibration is measured beside; None if it has none.
        on_answer: shown each picture and the second model's answer, neither of which it may change or keep.
        on_picture: told the number of pictures done, after each; may raise to stop.

    Raises:
        InvalidInputError: as `evaluate` does.
    """
    first = Scorer(class_map, threshold)
    second = Scorer(class_map, threshold, shown_count, tempered.temperature if tempered else None)
    differing = _Differing(example_count)
    for number, labelled in enumerate(samples):
        image_HWC = labelled[1]
        first_HW = first.add(labelled, predict_first(image_HWC))
        predicted = predict_second(image_HWC)
        second_HW = second.add(labelled, predicted, tempered.predict(image_HWC) if tempered else None)
        differing.add(number, labelled, first_HW, second_HW)
        if on_answer:
            on_answer(labelled, predicted)
        if on_picture:
            on_picture(number + 1)
    return differing.finish(first.finish(), second.finish())


def find_difference(
    first: Scores, second: Scores, first_counts: PictureCounts, second_counts: PictureCounts
) -> Difference:
    """How two models differ by their scores on the same pictures.

    Raises:
        InvalidInputError: if they were not scored on the same labels.
    """
    paired = find_paired_intervals(first_counts, second_counts)
    intervals = paired.classes if paired else (None,) * len(first.classes)
    return Difference(
        mean_iou=_subtract(second.mean_iou, first.mean_iou),
        interval=paired.mean_iou if paired else None,
        share_better=paired.share_better if paired else None,
        classes=tuple(
            ClassDifference(one.name, one.iou, other.iou, _subtract(other.iou, one.iou), interval)
            for one, other, interval in zip(first.classes, second.classes, intervals, strict=True)
        ),
    )


def check_comparable(first: ClassMap, second: ClassMap) -> None:
    """Do nothing if models of these classes can be compared.

    Raises:
        InvalidInputError: naming a class that one of them lacks.
    """
    if first != second:
        odd = sorted(set(first.names) ^ set(second.names))
        reason = f"{odd[0]!r} is a class of only one of them" if odd else "their classes are in another order"
        raise InvalidInputError(f"the two models cannot be compared, as {reason}; compare models of one version")


class _Differing:
    """Keeps how much each picture differs, and small copies of those that differ most."""

    def __init__(self, example_count: int) -> None:
        self._count = example_count
        self._differing_px = self._labelled_px = 0
        self._shares: list[float] = []
        self._examples: list[TwinExample] = []

    def add(self, number: int, labelled: Labelled, first_HW: NDArray[np.uint8], second_HW: NDArray[np.uint8]) -> None:
        name, image_HWC, label_HW = labelled
        is_known_HW = label_HW != VOID_ID
        differing_px = int(np.count_nonzero((first_HW != second_HW) & is_known_HW))
        labelled_px = int(np.count_nonzero(is_known_HW))
        self._differing_px += differing_px
        self._labelled_px += labelled_px
        share = differing_px / max(1, labelled_px)
        self._shares.append(share)
        is_full = len(self._examples) == self._count
        if not share or (is_full and (not self._count or share <= self._examples[-1].share)):
            return
        # Their scores are known in the end.
        examples = (Example(number, name, 0.0, image_HWC, label_HW, mask_HW) for mask_HW in (first_HW, second_HW))
        twin = TwinExample(share, *map(shrink_example, examples))
        self._examples = sorted([*self._examples, twin], key=lambda kept: -kept.share)[: self._count]

    def finish(self, first: Evaluation, second: Evaluation) -> Comparison:
        pictures = [
            PictureDifference(one.name, share, one.mean_iou, other.mean_iou)
            for share, one, other in zip(self._shares, first.pictures, second.pictures, strict=True)
        ]
        return Comparison(
            first=first,
            second=second,
            plain=find_difference(first.plain, second.plain, first.plain_counts, second.plain_counts),
            served=find_difference(first.served, second.served, first.served_counts, second.served_counts),
            share=self._differing_px / max(1, self._labelled_px),
            pictures=tuple(sorted(pictures, key=lambda picture: -picture.share)),
            examples=tuple(
                TwinExample(twin.share, _rate(twin.first, first), _rate(twin.second, second)) for twin in self._examples
            ),
        )


def _rate(example: Example, evaluation: Evaluation) -> Example:
    mean_iou = evaluation.pictures[example.number].mean_iou
    assert mean_iou is not None  # noqa: S101  (pixels that are not void differ)
    return replace(example, mean_iou=mean_iou)


def _subtract(score: float | None, other: float | None) -> float | None:
    return None if score is None or other is None else score - other
