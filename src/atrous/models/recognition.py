"""Which network weights are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from atrous.core.errors import InvalidInputError
from atrous.models.architectures import BATCH, GROUP, Shape, build_network
from atrous.models.group_norm import has_batch_norm
from atrous.models.last_layer import KERNEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

# Files from before torch 0.4.1 have none of these, and no network needs them.
BATCH_COUNT = ".num_batches_tracked"
DEPTHS = (5, 4)
SHOWN_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Recognised:
    """A network by its names and sizes, and all of its weights, [K, C, 1, 1] the last ones."""

    architecture: str
    encoder: str
    shape: Shape
    weights: dict[str, Tensor]


def count_classes(weights: Mapping[str, Tensor]) -> int:
    """K, background included.

    Raises:
        InvalidInputError: if there is no last layer of segmentation-models-pytorch, or a number is not finite.
    """
    head = weights.get(KERNEL)
    if head is None or head.ndim != 4:
        raise InvalidInputError(
            f"the weights have no {KERNEL}; they must be those of segmentation-models-pytorch's DeepLab"
        )
    broken = next((name for name, value in weights.items() if not torch.isfinite(value).all()), None)
    if broken is not None:
        raise InvalidInputError(f"the weights hold numbers that are not finite, first in {broken}; train them again")
    return int(head.shape[0])


def recognise_network(
    weights: Mapping[str, Tensor], architectures: Sequence[str], encoders: Sequence[str]
) -> Recognised:
    """Find the network whose weights have exactly these names and shapes.

    Args:
        weights: as `read_state_dict` gives them.
        architectures: names to try.
        encoders: names to try.

    Raises:
        InvalidInputError: if none fits, or a name is unknown.
    """
    given = _sizes_of(weights)
    classes, channels = count_classes(weights), int(weights[KERNEL].shape[1])
    norm = BATCH if has_batch_norm(weights) else GROUP
    nearest: _Candidate | None = None
    for architecture, encoder, shape in _list_networks(architectures, encoders, channels, norm):
        with torch.device("meta"):
            own = build_network(architecture, encoder, classes, shape).network.state_dict()
        candidate = _Candidate(f"{architecture} with {encoder}", _sizes_of(own), given)
        if not candidate.differences:
            counts = {name: torch.tensor(0) for name in own if name.endswith(BATCH_COUNT)}
            return Recognised(architecture, encoder, shape, counts | dict(weights))
        if nearest is None or len(candidate.differences) < len(nearest.differences):
            nearest = candidate
    told = f"; nearest is {nearest.name}, but {nearest.describe()}" if nearest else ""
    raise InvalidInputError(
        f"the weights are of none of {', '.join(architectures)} with the encoders {', '.join(encoders)}{told}; "
        "name the encoder that they were made with"
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A network that weights might be of; shapes by name."""

    name: str
    own: Mapping[str, tuple[int, ...]]
    given: Mapping[str, tuple[int, ...]]

    @property
    def differences(self) -> list[str]:
        """Names that one of the two lacks or has with another shape, in the network's order first."""
        return [name for name in dict.fromkeys([*self.own, *self.given]) if self.own.get(name) != self.given.get(name)]

    def describe(self) -> str:
        """The first difference, in words."""
        name = self.differences[0]
        own, given = self.own.get(name), self.given.get(name)
        if given is None:
            return f"{name} is missing"
        if own is None:
            return f"{name[:SHOWN_LENGTH]} is not of it"
        return f"{name} is {_show(given)} instead of {_show(own)}"


def _show(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _list_networks(
    architectures: Sequence[str], encoders: Sequence[str], channels: int, norm: str
) -> Iterator[tuple[str, str, Shape]]:
    for architecture in architectures:
        for encoder in encoders:
            for depth in DEPTHS:
                yield architecture, encoder, Shape(encoder_depth=depth, decoder_channels=channels, norm=norm)


def _sizes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items() if not name.endswith(BATCH_COUNT)}
