"""Batch norm over the batches of all ranks, on any device; torch's own needs a GPU.

Axes: R ranks, C channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, nn

from atrous.models.batch_norm import PooledBatchNorm2d

if TYPE_CHECKING:
    from torch import Tensor

    from atrous.training.ranks import Ranks


class SyncedBatchNorm2d(PooledBatchNorm2d):
    """Normalises by the mean and variance of what all ranks have.

    Args:
        original: whose weights, statistics and, in timm's networks, activation this takes over.
        ranks: who trains together.
    """

    def __init__(self, original: nn.BatchNorm2d, ranks: Ranks) -> None:
        super().__init__(original.num_features, eps=original.eps, momentum=original.momentum)
        self.weight, self.bias = original.weight, original.bias
        self.running_mean, self.running_var = original.running_mean, original.running_var
        self.num_batches_tracked = original.num_batches_tracked
        self.drop: nn.Module = getattr(original, "drop", nn.Identity())
        self.act: nn.Module = getattr(original, "act", nn.Identity())
        self.is_synced = True
        self._index, self._count = ranks.index, ranks.count
        self.train(original.training)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name)
        """Normalise [B, C, H, W], in training by what all ranks give."""
        is_together = self.training and self.is_synced
        normed_BCHW = self._normalise(input) if is_together else super().forward(input)
        return self.act(self.drop(normed_BCHW))

    def _normalise(self, input_BCHW: Tensor) -> Tensor:
        values_BCHW = input_BCHW.float()
        var_C, mean_C = torch.var_mean(values_BCHW, dim=(0, 2, 3), correction=0)
        count = values_BCHW.numel() // values_BCHW.shape[1]
        mean_C, var_C, total = self._gather(mean_C, var_C, count)
        self._remember(mean_C.detach(), var_C.detach(), total)
        scale_C = self.weight * (var_C + self.eps).rsqrt()
        shift_C = self.bias - mean_C * scale_C
        return (values_BCHW * scale_C[:, None, None] + shift_C[:, None, None]).to(input_BCHW.dtype)

    def _gather(self, mean_C: Tensor, var_C: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of all ranks' values, and how many these are.

        Source: Chan et al. 1979, STAN-CS-79-773, the update of means and sums of squares.
        """
        own = torch.cat([mean_C, var_C, mean_C.new_tensor([count])])
        rows_R = [own if rank == self._index else torch.zeros_like(own) for rank in range(self._count)]
        means_RC, vars_RC, counts_R1 = _Sum.apply(torch.stack(rows_R)).split([len(mean_C), len(mean_C), 1], dim=1)
        share_R1 = counts_R1 / counts_R1.sum()
        total_C = (share_R1 * means_RC).sum(dim=0)
        return total_C, (share_R1 * (vars_RC + (means_RC - total_C) ** 2)).sum(dim=0), counts_R1.detach().sum()

    @torch.no_grad()
    def _remember(self, mean_C: Tensor, var_C: Tensor, total: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        momentum = self.momentum or 0.0
        self.running_mean.lerp_(mean_C, momentum)
        self.running_var.lerp_(var_C * (total / (total - 1).clamp(min=1)), momentum)
        self.num_batches_tracked += 1


class _Sum(torch.autograd.Function):
    """The sum over all ranks, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Add up."""
        del ctx
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Add up."""
        del ctx
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


def synchronise_norms(network: nn.Module, ranks: Ranks) -> None:
    """Replace each batch norm, keeping names and values of its weights."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d) and not isinstance(child, SyncedBatchNorm2d):
                setattr(module, name, SyncedBatchNorm2d(child, ranks))


def set_synced(network: nn.Module, *, is_synced: bool) -> None:
    """Say whether ranks have batches of their own; where each has the same one, it needs no other's."""
    for module in network.modules():
        if isinstance(module, SyncedBatchNorm2d):
            module.is_synced = is_synced
