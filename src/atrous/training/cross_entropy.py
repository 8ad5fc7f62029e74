"""Cross-entropy over labelled pixels, and how much each class weighs in it.

Axes: B batch, K classes, H W pixels, P labelled pixels.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MAX_WEIGHT_RATIO = 10.0


def weigh_classes(pixels_K: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weights [K] by the inverse square root of pixel share; their mean over pixels is 1.

    Classes without a pixel weigh nothing: they are never a target. No class weighs over ten times the most common
    one, or a handful of mislabelled pixels would rule the loss.
    """
    present_K = pixels_K > 0
    share_K = pixels_K / max(1, pixels_K.sum())
    weights_K = np.where(present_K, 1 / np.sqrt(np.maximum(share_K, 1e-12)), 0.0)
    if present_K.any():
        weights_K = np.minimum(weights_K, MAX_WEIGHT_RATIO * weights_K[present_K].min())
        weights_K /= (weights_K * share_K).sum()
    return weights_K.astype(np.float32)


class VoidCrossEntropy(nn.Module):
    """Cross-entropy that never sees void, and is 0 where a batch has nothing else.

    Args:
        weights_K: how much each class counts; None counts all alike.
        label_smoothing: share of each label that is spread over all classes, 0 to below 1.
        hard_share: share of the labelled pixels that count, those whose own class is the least probable; above 0 to 1.
            Pixels as hard as the easiest of them count too.
        hard_below: pixels whose own class has a lower probability count as well, 0 to 1.

    Source of the hard pixels: Shrivastava et al. 2016, arXiv:1604.03540, on pixels as in Wu et al. 2016,
    arXiv:1604.04339.
    """

    def __init__(
        self,
        weights_K: NDArray[np.float32] | None,
        *,
        label_smoothing: float = 0.0,
        hard_share: float = 1.0,
        hard_below: float = 0.0,
    ) -> None:
        super().__init__()
        weights = None if weights_K is None else torch.from_numpy(weights_K)
        self._loss = nn.CrossEntropyLoss(
            weight=weights, ignore_index=VOID_ID, reduction="sum", label_smoothing=label_smoothing
        )
        self._hard_share, self._hard_below = hard_share, hard_below

    def forward(self, logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
        """Mean over the pixels that count of the weighted loss."""
        counted_BHW = mask_BHW if self._hard_share >= 1 else self._hide_easy(logits_BKHW, mask_BHW)
        counted = (counted_BHW != VOID_ID).sum()
        return self._loss(logits_BKHW.float(), counted_BHW) / counted.clamp(min=1)

    @torch.no_grad()
    def _hide_easy(self, logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
        """The mask with all but the hard pixels made void."""
        probability_BHW = _find_own_probability(logits_BKHW, mask_BHW)
        probability_P = probability_BHW[mask_BHW != VOID_ID]
        if not len(probability_P):
            return mask_BHW
        # A value, not a set of places, so that equals are treated alike and each device chooses the same.
        limit = probability_P.sort().values[ceil(self._hard_share * len(probability_P)) - 1]
        is_easy_BHW = (probability_BHW > limit) & (probability_BHW >= self._hard_below)
        return mask_BHW.masked_fill(is_easy_BHW, VOID_ID)


def _find_own_probability(logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
    """Probability [B, H, W] of each pixel's own class; of any where it is void."""
    own_B1HW = mask_BHW.masked_fill(mask_BHW == VOID_ID, 0)[:, None]
    return logits_BKHW.float().softmax(dim=1).gather(1, own_B1HW)[:, 0]
