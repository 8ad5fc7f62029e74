"""How far class weights are taken out of a network's answers again.

A loss that weighs classes teaches a network to find each of them as many times as probable as it is. That brings rare
classes forward while a network hardly finds them yet, and costs precision once it does. Which of the two it is, the
valid pictures know; so much of the weights as they want is taken out of the last layer's bias.

Source: Menon et al. 2021, arXiv:2007.07314, section 4.1, where what is taken out are the classes' shares themselves.
Axes: A adjustments, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From nothing to all of the weights; few, because one of them is chosen by the pictures it is scored on.
ADJUSTMENTS = (0.0, 0.5, 1.0)
NO_ADJUSTMENT = (0.0,)


def list_shifts(weights_K: NDArray[np.float32] | None, class_count: int) -> dict[float, NDArray[np.float32]]:
    """What is added to the logits [K] of each class, by adjustment.

    Args:
        weights_K: of the loss, 0 for classes without a pixel; None for a loss that weighs none.
        class_count: K.
    """
    if weights_K is None or not weights_K.any():
        return {adjustment: np.zeros(class_count, np.float32) for adjustment in NO_ADJUSTMENT}
    # A class that is nowhere comes forward no more than the rarest one.
    log_K = np.log(np.where(weights_K > 0, weights_K, weights_K.max()))
    return {adjustment: -np.float32(adjustment) * log_K for adjustment in ADJUSTMENTS}
