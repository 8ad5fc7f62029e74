"""Group norm in place of batch norm: the same whatever else is in a batch, and while training as later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

MAX_GROUPS = 32
MIN_CHANNELS_OF_GROUP = 4
RUNNING_MEAN = ".running_mean"


class GroupNorm(nn.GroupNorm):
    """Group norm, and whatever else the batch norm did that it replaces: timm's drops values and activates them."""

    def __init__(self, replaced: Any) -> None:
        super().__init__(count_groups(replaced.num_features), replaced.num_features, eps=replaced.eps)
        self.load_state_dict({"weight": replaced.weight, "bias": replaced.bias})
        self.drop: nn.Module = getattr(replaced, "drop", nn.Identity())
        self.act: nn.Module = getattr(replaced, "act", nn.Identity())

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name)
        """Normalise [B, C, H, W] over pixels and the channels of a group."""
        return self.act(self.drop(super().forward(input)))


def replace_batch_norm(network: nn.Module) -> None:
    """Put group norm in the place of each batch norm, keeping names and values of its weights."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, GroupNorm(child))


def count_groups(channels: int) -> int:
    """The most groups, at most 32, that divide the channels and hold 4 or more each.

    Fewer in a group would leave little of it after global pooling, where a channel is a single value.
    Source: Wu and He 2018, arXiv:1803.08494, table 3 (32 groups).
    """
    most = max(1, min(MAX_GROUPS, channels // MIN_CHANNELS_OF_GROUP))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


def has_batch_norm(names: Iterable[str]) -> bool:
    """Whether weights of these names are of a network with batch norm."""
    return any(name.endswith(RUNNING_MEAN) for name in names)
