"""Labelled pictures and a way to predict -> scores. Pictures stream by; none is kept at full size."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from atrous.core.class_map import BACKGROUND_ID, ClassMap
from atrous.core.errors import InvalidInputError
from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.examples import Example, Shortlist
from atrous.evaluation.scores import Scores, compute_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

# name, image_HWC (BGR uint8), label_HW (class ids, 255 where void; the picture's own size)
Labelled: TypeAlias = "tuple[str, NDArray[np.uint8], NDArray[np.uint8]]"


class Predicted(Protocol):
    """What a model answers for one picture, before any threshold: class ids and confidence of the picture's size."""

    @property
    def mask_HW(self) -> NDArray[np.uint8]:
        """Class ids of the winners."""
        ...

    @property
    def confidence_HW(self) -> NDArray[np.float32]:
        """Probability of the winners, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class PictureScore:
    """mIoU of one picture alone, as the server would answer; None if all its pixels are void."""

    name: str
    mean_iou: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores of one model on one set of labelled pictures.

    Attributes:
        plain: scores of the winning classes as they are.
        served: scores of what the server would answer: pixels below the threshold are background.
        threshold: the confidence below which a pixel becomes background.
        plain_KK: confusion matrix behind `plain`; rows are labels, columns are predictions.
        served_KK: confusion matrix behind `served`.
        pictures: in the order they came.
        worst: small copies of the pictures with the lowest mIoU, lowest first.
        best: small copies of those with the highest, highest first; none that is in `worst`.
        seconds: wall time, reading of the pictures included.
    """

    plain: Scores
    served: Scores
    threshold: float
    plain_KK: NDArray[np.int64]
    served_KK: NDArray[np.int64]
    pictures: tuple[PictureScore, ...]
    worst: tuple[Example, ...]
    best: tuple[Example, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule in both scores; without the small copies."""
        return {
            "threshold": self.threshold,
            "plain": self.plain.as_json(),
            "served": self.served.as_json(),
            "confusion": {"plain": self.plain_KK.tolist(), "served": self.served_KK.tolist()},
            "picture_count": len(self.pictures),
            "pictures": [asdict(picture) for picture in self.pictures],
            "seconds": self.seconds,
        }


def evaluate(
    samples: Iterable[Labelled],
    predict: Callable[[NDArray[np.uint8]], Predicted],
    class_map: ClassMap,
    *,
    threshold: float,
    example_count: int = 3,
    on_picture: Callable[[int], None] | None = None,
) -> Evaluation:
    """Predict each picture and score the answers, once as they are and once as the server would give them.

    Args:
        samples: read once, one at a time.
        predict: from image_HWC (BGR uint8) to the answer before any threshold.
        class_map: classes of labels and predictions alike.
        threshold: pixels of lower confidence become background in `served`, 0 to 1.
        example_count: how many worst and how many best pictures to keep small copies of.
        on_picture: told the number of pictures done, after each; may raise to stop.

    Raises:
        InvalidInputError: if there is no picture, the threshold is no share, or (with the picture's name) a label or
            prediction does not fit its picture or the class map.
    """
    if not 0 <= threshold <= 1:
        raise InvalidInputError(f"threshold {threshold}: a confidence is between 0 and 1")
    started_s = time.perf_counter()
    plain_KK, served_KK = np.zeros((2, len(class_map), len(class_map)), np.int64)
    pictures: list[PictureScore] = []
    shortlist = Shortlist(example_count)
    for number, (name, image_HWC, label_HW) in enumerate(samples):
        predicted = predict(image_HWC)
        answer_HW = _answer(predicted, threshold)
        plain_KK += _count_picture(name, label_HW, predicted.mask_HW, class_map)
        picture_KK = _count_picture(name, label_HW, answer_HW, class_map)
        served_KK += picture_KK
        mean_iou = compute_scores(picture_KK, class_map).mean_iou
        pictures.append(PictureScore(name, mean_iou))
        if mean_iou is not None:
            shortlist.offer(Example(number, name, mean_iou, image_HWC, label_HW, answer_HW))
        if on_picture:
            on_picture(number + 1)
    if not pictures:
        raise InvalidInputError("there is no picture to evaluate; choose a split that has labelled pictures")
    return Evaluation(
        plain=compute_scores(plain_KK, class_map),
        served=compute_scores(served_KK, class_map),
        threshold=threshold,
        plain_KK=plain_KK,
        served_KK=served_KK,
        pictures=tuple(pictures),
        worst=shortlist.worst(),
        best=shortlist.best(),
        seconds=time.perf_counter() - started_s,
    )


def _count_picture(
    name: str, label_HW: NDArray[np.uint8], mask_HW: NDArray[np.uint8], class_map: ClassMap
) -> NDArray[np.int64]:
    try:
        return count_pixels(label_HW, mask_HW, class_count=len(class_map))
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from error


def _answer(predicted: Predicted, threshold: float) -> NDArray[np.uint8]:
    """The mask a server gives: background where confidence is below the threshold."""
    return np.where(predicted.confidence_HW < threshold, np.uint8(BACKGROUND_ID), predicted.mask_HW)
