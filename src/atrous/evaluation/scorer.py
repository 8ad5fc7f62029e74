"""Scores pictures one after the other; of each, only what is small stays in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import BACKGROUND_ID
from atrous.core.errors import InvalidInputError
from atrous.evaluation.boundaries import count_boundaries, no_boundaries, score_boundaries
from atrous.evaluation.calibration import BINS, Calibration, count_confidence, measure_reliability
from atrous.evaluation.calibration import FIGURES as CONFIDENCE_FIGURES
from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.evaluation import Evaluation, PictureScore
from atrous.evaluation.examples import Example, Shortlist
from atrous.evaluation.intervals import find_intervals
from atrous.evaluation.picture_counts import PictureCounter
from atrous.evaluation.score_warnings import check_scores
from atrous.evaluation.scores import compute_scores
from atrous.evaluation.sizes import BANDS, count_objects, score_sizes
from atrous.evaluation.sizes import FIGURES as SIZE_FIGURES
from atrous.evaluation.traits import Trait, describe_picture, join_traits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.evaluation.predicted import Labelled, Predicted
    from atrous.evaluation.scores import Scores


class Scorer:
    """Takes what a model says of picture after picture, and scores it once as it is and once as the server would.

    Args:
        class_map: classes of labels and predictions alike.
        threshold: pixels of lower confidence become background as served, 0 to 1.
        example_count: how many worst, best and typical pictures to keep small copies of, each.
        temperature: the model's, if it has one.

    Raises:
        InvalidInputError: if the threshold is no share.
    """

    def __init__(
        self, class_map: ClassMap, threshold: float, example_count: int = 0, temperature: float | None = None
    ) -> None:
        if not 0 <= threshold <= 1:
            raise InvalidInputError(f"threshold {threshold}: a confidence is between 0 and 1")
        class_count = len(class_map)
        self._class_map = class_map
        self._threshold = threshold
        self._temperature = temperature
        self._started_s = time.perf_counter()
        self._shortlist = Shortlist(example_count)
        self._pictures: list[PictureScore] = []
        self._traits: list[Trait] = []
        self._plain, self._served = _Sums(class_map), _Sums(class_map)
        self._objects_FBK = np.zeros((SIZE_FIGURES, len(BANDS), class_count), np.int64)
        self._boundaries = no_boundaries(class_count)
        self._confidence_FB, self._tempered_FB = np.zeros((2, CONFIDENCE_FIGURES, BINS))

    def add(self, labelled: Labelled, predicted: Predicted, tempered: Predicted | None = None) -> NDArray[np.uint8]:
        """Score a picture, and give the mask that a server would answer.

        Args:
            labelled: the picture with its label.
            predicted: what the model says of it.
            tempered: the same at the model's temperature, if it has one.

        Raises:
            InvalidInputError: with the picture's name, if its label or prediction does not fit it or the class map.
        """
        name, image_HWC, label_HW = labelled
        answer_HW = apply_threshold(predicted, self._threshold)
        try:
            self._plain.add(label_HW, predicted.mask_HW)
            picture_KK = self._served.add(label_HW, answer_HW)
        except InvalidInputError as error:
            raise InvalidInputError(f"{name}: {error}") from error
        self._objects_FBK += count_objects(label_HW, answer_HW, class_count=len(self._class_map))
        self._boundaries.add(count_boundaries(label_HW, answer_HW, class_count=len(self._class_map)))
        self._confidence_FB += count_confidence(label_HW, predicted.mask_HW, predicted.confidence_HW)
        if tempered is not None:
            self._tempered_FB += count_confidence(label_HW, tempered.mask_HW, tempered.confidence_HW)
        self._traits.append(describe_picture(name, image_HWC, label_HW, class_count=len(self._class_map)))
        mean_iou = compute_scores(picture_KK, self._class_map).mean_iou
        if mean_iou is not None:
            self._shortlist.offer(Example(len(self._pictures), name, mean_iou, image_HWC, label_HW, answer_HW))
        self._pictures.append(PictureScore(name, mean_iou))
        return answer_HW

    def finish(self) -> Evaluation:
        """All scores.

        Raises:
            InvalidInputError: if there was no picture.
        """
        if not self._pictures:
            raise InvalidInputError("there is no picture to evaluate; choose a split that has labelled pictures")
        plain_counts, served_counts = self._plain.counter.finish(), self._served.counter.finish()
        served = self._served.score()
        return Evaluation(
            plain=self._plain.score(),
            served=served,
            threshold=self._threshold,
            plain_KK=self._plain.counts_KK,
            served_KK=self._served.counts_KK,
            plain_counts=plain_counts,
            served_counts=served_counts,
            sizes=score_sizes(self._objects_FBK, self._class_map),
            boundaries=score_boundaries(self._boundaries, self._class_map),
            calibration=self._calibration(),
            warnings=tuple(check_scores(served, served_counts, self._class_map)),
            traits=join_traits(self._traits, len(self._class_map)),
            pictures=tuple(self._pictures),
            worst=self._shortlist.worst(),
            best=self._shortlist.best(),
            typical=self._shortlist.typical(),
            seconds=time.perf_counter() - self._started_s,
        )

    def _calibration(self) -> Calibration:
        before = measure_reliability(self._confidence_FB)
        if self._temperature is None:
            return Calibration(before)
        return Calibration(before, self._temperature, measure_reliability(self._tempered_FB))


class _Sums:
    """Confusion of all pictures, and what each adds to it."""

    def __init__(self, class_map: ClassMap) -> None:
        self._class_map = class_map
        self.counts_KK = np.zeros((len(class_map), len(class_map)), np.int64)
        self.counter = PictureCounter(len(class_map))

    def add(self, label_HW: NDArray[np.uint8], mask_HW: NDArray[np.uint8]) -> NDArray[np.int64]:
        picture_KK = count_pixels(label_HW, mask_HW, class_count=len(self._class_map))
        self.counts_KK += picture_KK
        self.counter.add(picture_KK)
        return picture_KK

    def score(self) -> Scores:
        scores = compute_scores(self.counts_KK, self._class_map)
        return replace(scores, intervals=find_intervals(self.counter.finish()))


def apply_threshold(predicted: Predicted, threshold: float) -> NDArray[np.uint8]:
    """The mask a server gives: background where confidence is below the threshold."""
    return np.where(predicted.confidence_HW < threshold, np.uint8(BACKGROUND_ID), predicted.mask_HW)
