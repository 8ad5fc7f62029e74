"""Batch norm that survives one value per channel, and batch norm that stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPPPooling
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from torch import Tensor


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm after global pooling, where a batch of one picture has a single value per channel.

    Such a batch has no variance, and torch refuses it; it is normalised by the running statistics instead and does
    not change them.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name)
        """Normalise [B, C, 1, 1]."""
        if self.training and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        return super().forward(input)


def guard_pooled_batch_norm(network: nn.Module) -> None:
    """Replace the batch norm behind each global pooling of an ASPP, keeping names and values of its weights."""
    for module in network.modules():
        if isinstance(module, ASPPPooling):
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    guarded = PooledBatchNorm2d(child.num_features, eps=child.eps, momentum=child.momentum)
                    guarded.load_state_dict(child.state_dict())
                    setattr(module, name, guarded)


def freeze_batch_norm(network: nn.Module) -> None:
    """Make each batch norm use the statistics that it has, and keep them and its weights from being trained."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            module.requires_grad_(requires_grad=False)
