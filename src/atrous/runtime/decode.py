"""Logits -> label mask and confidence at the picture's own size.

Axes: K classes, h w the network's output, H W the picture. Follows the stock Roboflow runtime: padding is cut from the
logits, the logits (not the probabilities) are resized bilinearly with antialiasing, then softmax and its winner. What
the network did not see is background of confidence 0, whatever the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import BACKGROUND_ID
from atrous.runtime.crew import ALONE, Crew
from atrous.runtime.pixels import Decoder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Placement
    from atrous.bundle.regions import Region
    from atrous.core.sizes import Size
    from atrous.runtime.mosaic import Mosaic

# How far confidence may be off for the classes that are left out: less than a level of 1/255 in an answer, and about
# what float32 sums of a softmax differ by where it is measured.
ANSWER_ERROR, PREDICTION_ERROR = 1 / 256, 1e-6
NO_THRESHOLD = -1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """Both arrays have the picture's size: `mask_HW` uint8 class ids, `confidence_HW` float32, 0 to 1."""

    mask_HW: NDArray[np.uint8]
    confidence_HW: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answer:
    """What clients get: uint8 class ids after the threshold and confidence as 0 to 255, of the picture's size."""

    mask_HW: NDArray[np.uint8]
    levels_HW: NDArray[np.uint8]


def decode_logits(logits_Khw: NDArray[np.float32], placement: Placement, crew: Crew = ALONE) -> Prediction:
    """Find the winning class of each pixel of the picture and its softmax probability.

    No array of all classes at the picture's size is made: memory is that of the result, however many classes there are.

    Args:
        logits_Khw: raw scores of the whole network input, at any stride, K from 2 to 255.
        placement: where the picture lay in the network's input.
        crew: threads that help.
    """
    prediction = _blank_prediction(placement.picture)
    decoder = Decoder(cut_padding(logits_Khw, placement), placement.window, NO_THRESHOLD, PREDICTION_ERROR)
    decoder.fill(prediction.mask_HW, prediction.confidence_HW, crew)
    return prediction


def decode_answer(
    logits_Khw: NDArray[np.float32], placement: Placement, threshold: float, crew: Crew = ALONE
) -> Answer:
    """Find the class of each pixel and its confidence in one pass, as clients get them.

    Confidence may differ from that of `decode_logits` by one level.

    Args:
        logits_Khw: raw scores of the whole network input, at any stride, K from 2 to 255.
        placement: where the picture lay in the network's input.
        threshold: pixels of less confidence become background of confidence 0.
        crew: threads that help.
    """
    answer = _blank_answer(placement.picture)
    decoder = Decoder(cut_padding(logits_Khw, placement), placement.window, threshold, _answer_error(threshold))
    decoder.fill(answer.mask_HW, answer.levels_HW, crew)
    return answer


def decode_mosaic(mosaic: Mosaic, crew: Crew = ALONE) -> Prediction:
    """As `decode_logits`, of a picture that is seen tile by tile."""
    prediction = _blank_prediction(mosaic.picture)
    arrays = prediction.mask_HW, prediction.confidence_HW
    mosaic.fill(*arrays, threshold=NO_THRESHOLD, error=PREDICTION_ERROR, crew=crew)
    return prediction


def decode_mosaic_answer(mosaic: Mosaic, threshold: float, crew: Crew = ALONE) -> Answer:
    """As `decode_answer`, of a picture that is seen tile by tile."""
    answer = _blank_answer(mosaic.picture)
    mosaic.fill(answer.mask_HW, answer.levels_HW, threshold=threshold, error=_answer_error(threshold), crew=crew)
    return answer


def join_tiles(picture: Size, tiles: Iterable[tuple[Region, Prediction]]) -> Prediction:
    """Put the predictions for parts of a picture together; where no part was, it is background of confidence 0."""
    joined = _blank_prediction(picture)
    for region, seen in tiles:
        joined.mask_HW[region.slices] = seen.mask_HW
        joined.confidence_HW[region.slices] = seen.confidence_HW
    return joined


def join_answers(picture: Size, tiles: Iterable[tuple[Region, Answer]]) -> Answer:
    """Put the answers for parts of a picture together; where no part was, it is background of confidence 0."""
    joined = _blank_answer(picture)
    for region, seen in tiles:
        joined.mask_HW[region.slices] = seen.mask_HW
        joined.levels_HW[region.slices] = seen.levels_HW
    return joined


def apply_threshold(prediction: Prediction, threshold: float) -> Prediction:
    """Turn pixels whose confidence is below the threshold into background of confidence 0."""
    below_HW = prediction.confidence_HW < threshold
    return Prediction(
        np.where(below_HW, np.uint8(BACKGROUND_ID), prediction.mask_HW),
        np.where(below_HW, np.float32(0), prediction.confidence_HW),
    )


def _answer_error(threshold: float) -> float:
    # A threshold that near to certainty is about digits that an answer does not show.
    return ANSWER_ERROR if threshold <= 1 - ANSWER_ERROR else PREDICTION_ERROR


def _blank_prediction(picture: Size) -> Prediction:
    return Prediction(_background(picture), np.zeros((picture.height, picture.width), np.float32))


def _blank_answer(picture: Size) -> Answer:
    return Answer(_background(picture), np.zeros((picture.height, picture.width), np.uint8))


def _background(picture: Size) -> NDArray[np.uint8]:
    return np.full((picture.height, picture.width), BACKGROUND_ID, np.uint8)


def cut_padding(logits_Khw: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """The part of the logits that the picture's window fills."""
    height, width = logits_Khw.shape[1:]
    by_y, by_x = height / placement.canvas.height, width / placement.canvas.width
    inner = placement.inner
    bottom_px = placement.canvas.height - inner.top - inner.size.height
    right_px = placement.canvas.width - inner.left - inner.size.width
    top, left = round(by_y * inner.top), round(by_x * inner.left)
    bottom, right = height - round(by_y * bottom_px), width - round(by_x * right_px)
    return logits_Khw[:, top : max(bottom, top + 1), left : max(right, left + 1)]
