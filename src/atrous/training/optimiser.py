"""AdamW with a poly schedule and warm-up, and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.recipe import Recipe

MAX_WEIGHT_RATIO = 10.0
MAX_GRADIENT_NORM = 5.0


def make_optimiser(network: SegmentationNetwork, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW without weight decay on biases and batch norm; the encoder's rate is scaled by the recipe."""
    groups: list[dict[str, Any]] = []
    for part, factor in (("encoder", recipe.encoder_lr_factor), ("rest", 1.0)):
        named = [
            (name, weight)
            for name, weight in network.network.named_parameters()
            if name.startswith("encoder.") == (part == "encoder") and weight.requires_grad
        ]
        for decays in (True, False):
            weights = [weight for _, weight in named if (weight.ndim > 1) == decays]
            if weights:
                decay = recipe.weight_decay if decays else 0.0
                groups.append({"params": weights, "weight_decay": decay, "lr_factor": factor})
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def set_learning_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, step: int, total_steps: int) -> float:
    """Set the rate of this step, counted from 0, and give its peak part.

    Linear warm-up, then (1 - progress) ** power.
    Source: Liu et al. 2015, arXiv:1506.04579, section 3.1 (poly).
    """
    warmup_steps = max(1, round(recipe.warmup_share * total_steps))
    rate = recipe.learning_rate * min(1.0, (step + 1) / warmup_steps) * (1 - step / total_steps) ** recipe.poly_power
    for group in optimiser.param_groups:
        group["lr"] = rate * group["lr_factor"]
    return rate


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
    """Cross-entropy that never sees void, and is 0 where a batch has nothing else."""

    def __init__(self, weights_K: NDArray[np.float32] | None) -> None:
        super().__init__()
        weights = None if weights_K is None else torch.from_numpy(weights_K)
        self._loss = nn.CrossEntropyLoss(weight=weights, ignore_index=VOID_ID, reduction="sum")

    def forward(self, logits_BKHW: Tensor, mask_BHW: Tensor) -> Tensor:
        """Mean over labelled pixels of the weighted loss."""
        labelled = (mask_BHW != VOID_ID).sum()
        return self._loss(logits_BKHW.float(), mask_BHW) / labelled.clamp(min=1)
