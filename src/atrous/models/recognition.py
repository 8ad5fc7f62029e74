"""Which network weights are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from atrous.core.errors import InvalidInputError
from atrous.models.architectures import Shape, build_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

HEAD = "segmentation_head.0.weight"
# Files from before torch 0.4.1 have none of these, and no network needs them.
BATCH_COUNT = ".num_batches_tracked"
DEPTHS = (5, 4)


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
        InvalidInputError: if there is no last layer of segmentation-models-pytorch.
    """
    head = weights.get(HEAD)
    if head is None or head.ndim != 4:
        raise InvalidInputError(
            f"the weights have no {HEAD}; they must be those of segmentation-models-pytorch's DeepLab"
        )
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
    classes, channels = count_classes(weights), int(weights[HEAD].shape[1])
    for architecture, encoder, shape in _list_networks(architectures, encoders, channels):
        with torch.device("meta"):
            own = build_network(architecture, encoder, classes, shape).network.state_dict()
        if _sizes_of(own) == given:
            counts = {name: torch.tensor(0) for name in own if name.endswith(BATCH_COUNT)}
            return Recognised(architecture, encoder, shape, counts | dict(weights))
    raise InvalidInputError(
        f"the weights are of none of {', '.join(architectures)} with the encoders {', '.join(encoders)}; name the "
        "encoder that they were made with"
    )


def _list_networks(
    architectures: Sequence[str], encoders: Sequence[str], channels: int
) -> Iterator[tuple[str, str, Shape]]:
    for architecture in architectures:
        for encoder in encoders:
            for depth in DEPTHS:
                yield architecture, encoder, Shape(encoder_depth=depth, decoder_channels=channels)


def _sizes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items() if not name.endswith(BATCH_COUNT)}
