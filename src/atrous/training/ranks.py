"""The processes that train one network together; alone, a training is its own first and only rank.

Which one this is, torch.distributed says, whoever started it: `launch.py`, torchrun or Ray.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from torch import Tensor

    Item = TypeVar("Item")


CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among the others. All of them call each method that exchanges something, in the same order.

    Attributes:
        index: of this process, from 0.
        count: of all.
        device: where tensors have to be to be exchanged.
    """

    index: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, tells and is asked."""
        return self.index == 0

    def deal(self, items: Sequence[Item]) -> list[Item]:
        """This rank's part of a batch; fewer items than ranks are given to each rank, all of them."""
        if not self.splits(items):
            return list(items)
        share, longer = divmod(len(items), self.count)
        start = self.index * share + min(self.index, longer)
        return list(items[start : start + share + (self.index < longer)])

    def splits(self, items: Sequence[Item]) -> bool:
        """Whether each rank gets items of its own."""
        return 1 < self.count <= len(items)

    def add(self, values: Tensor) -> Tensor:
        """The sum of what all ranks have, on the device of the values."""
        if self.count == 1:
            return values
        total = values.detach().to(self.device, copy=True)
        distributed.all_reduce(total)
        return total.to(values.device)

    def hear(self, *claims: bool) -> tuple[bool, ...]:
        """What the first rank claims."""
        if self.count == 1:
            return claims
        told = torch.tensor(claims, dtype=torch.uint8, device=self.device)
        distributed.broadcast(told, 0)
        return tuple(bool(told[place]) for place in range(len(claims)))

    def wait(self) -> None:
        """Go on when all have come here."""
        self.add(torch.zeros(1))


def is_launched() -> bool:
    """Whether this process was started as one of several."""
    return distributed.is_available() and distributed.is_initialized()


def find_ranks(device: torch.device) -> Ranks:
    """Ask torch.distributed which process this is.

    Args:
        device: what this process computes on.
    """
    if not is_launched():
        return Ranks(device=device)
    talks_on = device if distributed.get_backend() == "nccl" else CPU
    return Ranks(distributed.get_rank(), distributed.get_world_size(), talks_on)


def choose_gpu() -> int:
    """The GPU of this process, where each rank of a machine has one of its own."""
    return distributed.get_rank() % torch.cuda.device_count() if is_launched() else 0
