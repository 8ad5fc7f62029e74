"""Mean of a network's weights over the last part of training (EMA)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

if TYPE_CHECKING:
    from torch import nn

SLOWEST_DECAY = 0.9999
NetworkT = TypeVar("NetworkT", bound="nn.Module")


class WeightAverage(Generic[NetworkT]):
    """An exponential moving average of weights and batch-norm statistics, in a network of its own.

    Early on the average follows closely, so that it never holds on to the random start.
    """

    def __init__(self, network: NetworkT, *, horizon_steps: float) -> None:
        self.network = copy.deepcopy(network)
        self.network.requires_grad_(requires_grad=False).eval()
        self._decay = min(SLOWEST_DECAY, 1 - 1 / horizon_steps) if horizon_steps > 1 else 0.0

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after `step` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        means, values = ([pair[place] for pair in pairs if pair[0].is_floating_point()] for place in (0, 1))
        get_ema_multi_avg_fn(decay)(means, values, None)
        for mean, value in pairs:
            if not mean.is_floating_point():
                mean.copy_(value)
