"""AdamW or SGD, with warm-up and a poly schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.recipe import Recipe

MAX_GRADIENT_NORM = 5.0
ENCODER = "network.encoder."


def make_optimiser(network: SegmentationNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's, without weight decay on biases and norms; the encoder's rate is scaled by the recipe."""
    groups: list[dict[str, Any]] = []
    for is_encoder, factor in ((True, recipe.encoder_lr_factor), (False, 1.0)):
        weights = [
            weight
            for name, weight in network.named_parameters()
            if name.startswith(ENCODER) == is_encoder and weight.requires_grad
        ]
        for are_kernels, decay in ((True, recipe.weight_decay), (False, 0.0)):
            alike = [weight for weight in weights if (weight.ndim > 1) == are_kernels]
            if alike:
                groups.append({"params": alike, "weight_decay": decay, "lr_factor": factor})
    if recipe.optimiser == "sgd":
        # Nesterov's look ahead is of nothing where there is no momentum, and torch refuses it.
        nesterov = recipe.momentum > 0
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True)
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
