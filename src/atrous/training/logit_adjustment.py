"""How far class weights are taken out of a network's answers again.

A loss that weighs classes teaches a network to find each of them as many times as probable as it is. That brings rare
classes forward while a network hardly finds them yet, and costs precision once it does. Which of the two it is, the
valid pictures know, class by class; so much of the weights as they want is taken out of the last layer's bias.

Source: Menon et al. 2021, arXiv:2007.07314, section 4.1, where what is taken out are the classes' shares themselves.
Axes: K classes, N pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.scores import compute_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap

# From nothing of a weight to all of it; few, because the pictures that choose are those that score.
ADJUSTMENTS = (0.0, 0.5, 1.0)
# Of the search through the classes; on CamVid the second one changed nothing.
MOST_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Weighing:
    """What a loss weighed classes by, and what became of it.

    Attributes:
        weights_K: of the loss, above 0 for some class; those without a pixel have 0.
        adjustments_K: how much of each is taken out of the answers again, 0 to 1.
    """

    weights_K: NDArray[np.float32]
    adjustments_K: NDArray[np.float32]

    def find_shift(self) -> NDArray[np.float32]:
        """What is added to the logits [K] of each class."""
        # A class that is nowhere comes forward no more than the rarest one.
        filled_K = np.where(self.weights_K > 0, self.weights_K, self.weights_K.max())
        return -self.adjustments_K * np.log(filled_K)


def list_weighings(weights_K: NDArray[np.float32] | None) -> list[Weighing | None]:
    """Give the weighings that adjust all classes alike, the one that leaves all as they are first.

    Args:
        weights_K: of the loss; None, or all 0, if it weighs no class, which gives None alone.
    """
    if weights_K is None or not weights_K.any():
        return [None]
    return [Weighing(weights_K, np.full_like(weights_K, one)) for one in ADJUSTMENTS]


def choose_adjustments(
    logits_NK: NDArray[np.float32], label_N: NDArray[np.uint8], weighing: Weighing, class_map: ClassMap
) -> Weighing:
    """Find adjustments of a higher mean IoU by plain winner, one class after the other.

    Args:
        logits_NK: as the network was trained to give them.
        label_N: class ids, none of them void.
        weighing: where the search begins.
        class_map: of the ids.
    """
    chosen, best = weighing, _score(logits_NK + weighing.find_shift(), label_N, class_map)
    for _ in range(MOST_ROUNDS):
        before = best
        for index in np.flatnonzero(weighing.weights_K):
            for adjustment in ADJUSTMENTS:
                adjustments_K = chosen.adjustments_K.copy()
                adjustments_K[index] = adjustment
                tried = replace(chosen, adjustments_K=adjustments_K)
                miou = _score(logits_NK + tried.find_shift(), label_N, class_map)
                if miou > best:
                    chosen, best = tried, miou
        if best == before:
            break
    return chosen


def _score(logits_NK: NDArray[np.float32], label_N: NDArray[np.uint8], class_map: ClassMap) -> float:
    winner_N = logits_NK.argmax(axis=1).astype(np.uint8)
    counts_KK = count_pixels(label_N[None], winner_N[None], class_count=len(class_map))
    return compute_scores(counts_KK, class_map).mean_iou or 0.0
