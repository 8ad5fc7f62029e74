"""What a training lowers: the parts of the loss that a recipe names, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from atrous.models.architectures import TwoLogits
from atrous.training.cross_entropy import VoidCrossEntropy
from atrous.training.overlap import OVERLAP_LOSSES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from atrous.training.recipe import Recipe


class TrainingLoss(nn.Module):
    """Cross-entropy, the overlap of classes and the second head's cross-entropy, as a recipe weighs them.

    Void pixels count in none of them, and a batch of nothing else costs 0.

    Args:
        recipe: names the parts.
        weights_K: how much each class counts in cross-entropy; None counts all alike.
    """

    def __init__(self, recipe: Recipe, weights_K: NDArray[np.float32] | None) -> None:
        super().__init__()
        self._cross_entropy = VoidCrossEntropy(
            weights_K,
            label_smoothing=recipe.label_smoothing,
            hard_share=recipe.hard_share,
            hard_below=recipe.hard_below,
        )
        self._overlap = OVERLAP_LOSSES.get(recipe.overlap_loss)
        self._overlap_weight = recipe.overlap_weight
        self._auxiliary_weight = recipe.auxiliary_weight

    def forward(self, output: Tensor | TwoLogits, mask_BHW: Tensor) -> Tensor:
        """Give the loss of what a network in training answers for a batch, a single float32 value."""
        if isinstance(output, TwoLogits):
            auxiliary = self._cross_entropy(output.auxiliary_BKHW, mask_BHW)
            return self._weigh(output.logits_BKHW, mask_BHW) + self._auxiliary_weight * auxiliary
        return self._weigh(output, mask_BHW)

    def _weigh(self, logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
        loss = self._cross_entropy(logits_BKHW, mask_BHW)
        if self._overlap is None:
            return loss
        return loss + self._overlap_weight * self._overlap(logits_BKHW, mask_BHW)
