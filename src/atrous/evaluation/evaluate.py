"""Labelled pictures and a way to predict -> scores. Pictures stream by; none is kept at full size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.evaluation.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.predicted import Labelled, Predicted


@dataclass(frozen=True, slots=True)
class Tempered:
    """A model's temperature, and how it predicts with its logits divided by that."""

    temperature: float
    predict: Callable[[NDArray[np.uint8]], Predicted]


def evaluate(
    samples: Iterable[Labelled],
    predict: Callable[[NDArray[np.uint8]], Predicted],
    class_map: ClassMap,
    *,
    threshold: float,
    example_count: int = 3,
    tempered: Tempered | None = None,
    on_answer: Callable[[Labelled, Predicted], None] | None = None,
    on_picture: Callable[[int], None] | None = None,
) -> Evaluation:
    """Predict each picture and score the answers, once as they are and once as the server would give them.

    Args:
        samples: read once, one at a time.
        predict: from image_HWC (BGR uint8) to the answer before any threshold.
        class_map: classes of labels and predictions alike.
        threshold: pixels of lower confidence become background in `served`, 0 to 1.
        example_count: how many worst, best and typical pictures to keep small copies of, each.
        tempered: the model at its temperature, whose calibration is measured beside; None if it has none.
        on_answer: shown each picture and its answer, neither of which it may change or keep.
        on_picture: told the number of pictures done, after each; may raise to stop.

    Raises:
        InvalidInputError: if there is no picture, the threshold is no share, or (with the picture's name) a label or
            prediction does not fit its picture or the class map.
    """
    scorer = Scorer(class_map, threshold, example_count, tempered.temperature if tempered else None)
    for number, labelled in enumerate(samples):
        predicted = predict(labelled[1])
        scorer.add(labelled, predicted, tempered.predict(labelled[1]) if tempered else None)
        if on_answer:
            on_answer(labelled, predicted)
        if on_picture:
            on_picture(number + 1)
    return scorer.finish()
