"""Losses of how far predictions and labels overlap, class by class: what mIoU counts, made smooth.

Axes: B batch, K classes, H W pixels, P labelled pixels, C classes that a batch has labels of. All pixels of a batch are
taken as one picture, and a class that it has no label of does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def dice_loss(logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
    """1 minus the mean Dice coefficient of soft predictions, 0 to 1; 0 for a batch of nothing but void.

    Source: Milletari et al. 2016, arXiv:1606.04797, with plain sums below the line.
    """
    found_CP, label_CP = _split_by_class(logits_BKHW, mask_BHW)
    if not label_CP.numel():
        return found_CP.sum()
    shared_C = (found_CP * label_CP).sum(dim=1)
    return 1 - (2 * shared_C / (found_CP.sum(dim=1) + label_CP.sum(dim=1))).mean()


def lovasz_loss(logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
    """Lovász-softmax: a convex bound of 1 minus the mean IoU, 0 to 1; 0 for a batch of nothing but void.

    Sorts all pixels once for each class, which a large batch feels.
    Source: Berman et al. 2018, arXiv:1705.08790, equation 11, with the classes that are present.
    """
    found_CP, label_CP = _split_by_class(logits_BKHW, mask_BHW)
    if not label_CP.numel():
        return found_CP.sum()
    error_CP = (label_CP - found_CP).abs()
    error_CP, order_CP = error_CP.sort(dim=1, descending=True, stable=True)
    return (error_CP * _grow_jaccard(label_CP.gather(1, order_CP))).sum(dim=1).mean()


OVERLAP_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"dice": dice_loss, "lovasz": lovasz_loss}


def _split_by_class(logits_BKHW: Tensor, mask_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and labels (0 or 1) [C, P] of the classes present; both empty where all is void."""
    is_labelled_BHW = mask_BHW != VOID_ID
    probability_PK = logits_BKHW.permute(0, 2, 3, 1)[is_labelled_BHW].float().softmax(dim=1)
    label_PK = functional.one_hot(mask_BHW[is_labelled_BHW], logits_BKHW.shape[1])
    present_K = label_PK.any(dim=0)
    return probability_PK.T[present_K], label_PK.T[present_K].float()


@torch.no_grad()
def _grow_jaccard(label_CP: Tensor) -> Tensor:
    """By how much the Jaccard loss [C, P] grows with each further pixel that is wrong."""
    missed_CP = label_CP.cumsum(dim=1)
    invented_CP = (1 - label_CP).cumsum(dim=1)
    total_C1 = missed_CP[:, -1:]
    loss_CP = 1 - (total_C1 - missed_CP) / (total_C1 + invented_CP)
    return torch.cat([loss_CP[:, :1], loss_CP[:, 1:] - loss_CP[:, :-1]], dim=1)
