"""Steady masks for the frames of a video: class probabilities averaged over time, before any winner is chosen.

Axes: K classes, h w the network's output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.preprocessing import TILE_STEPS, locate_tiles, skip_steps
from atrous.core.sizes import Size
from atrous.runtime.decode import Answer, decode_answer, join_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.runtime.engine import Engine

SMALLEST = np.finfo(np.float32).tiny


class MovingAverage:
    """Class probabilities of one view, averaged exponentially over its frames. For one thread.

    Args:
        kept: share of the average that a new frame leaves as it is, from 0 (only the new frame counts) to below 1.
    """

    def __init__(self, kept: float) -> None:
        self._kept = np.float32(kept)
        self._average_Khw: NDArray[np.float32] | None = None

    def blend(self, logits_Khw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in a frame's raw scores; give the logarithms of the averaged probabilities.

        These decode as scores do: at `kept` 0 to the very answer of the frame. A frame of another shape begins anew.
        """
        new_Khw = _soften(logits_Khw)
        if self._average_Khw is None or self._average_Khw.shape != new_Khw.shape:
            self._average_Khw = new_Khw
        else:
            self._average_Khw *= self._kept
            new_Khw *= 1 - self._kept
            self._average_Khw += new_Khw
        return np.log(np.maximum(self._average_Khw, SMALLEST))


class SteadyEngine:
    """Answers the frames of one video, in their order, each in the light of those before. For one thread.

    Args:
        engine: what sees the frames.
        kept: as for `MovingAverage`.
    """

    def __init__(self, engine: Engine, kept: float) -> None:
        self._engine = engine
        self._kept = kept
        self._averages: list[MovingAverage] = []

    def answer(self, image_HWC: NDArray[np.uint8], threshold: float) -> Answer:
        """Give class ids and levels of confidence of the next frame, BGR, at its own size."""
        preprocessing = self._engine.bundle.preprocessing
        size = Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
        if preprocessing.tiles is None:
            return self._answer_view(0, image_HWC, threshold, preprocessing)
        steps, regions = skip_steps(preprocessing, TILE_STEPS), locate_tiles(size, preprocessing)
        views = (self._answer_view(i, image_HWC[r.slices], threshold, steps) for i, r in enumerate(regions))
        return join_answers(size, zip(regions, views, strict=True))

    def _answer_view(
        self, view: int, image_HWC: NDArray[np.uint8], threshold: float, preprocessing: Preprocessing
    ) -> Answer:
        if view == len(self._averages):
            self._averages.append(MovingAverage(self._kept))
        logits_Khw, placement = self._engine.score(image_HWC, preprocessing)
        return decode_answer(self._averages[view].blend(logits_Khw), placement, threshold, self._engine.crew)


def _soften(logits_Khw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over the classes, in an array of its own."""
    scores_Khw = logits_Khw - logits_Khw.max(axis=0)
    np.exp(scores_Khw, out=scores_Khw)
    scores_Khw /= scores_Khw.sum(axis=0)
    return scores_Khw
