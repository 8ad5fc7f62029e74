from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from atrous.core.errors import InvalidInputError
from atrous.models.architectures import Shape, build_network
from atrous.models.recognition import count_classes, recognise_network

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURES = ("deeplabv3plus", "deeplabv3")
ENCODERS = ("mobilenet_v2", "resnet18")


def weights_of(architecture: str, encoder: str, shape: Shape) -> dict[str, Tensor]:
    return build_network(architecture, encoder, 3, shape).network.state_dict()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("depth", [4, 5])
def test_a_network_is_recognised_by_its_weights(architecture: str, encoder: str, depth: int) -> None:
    shape = Shape(encoder_depth=depth, decoder_channels=16)
    weights = weights_of(architecture, encoder, shape)
    found = recognise_network(weights, ARCHITECTURES, ENCODERS)
    assert (found.architecture, found.encoder, found.shape) == (architecture, encoder, shape)
    assert count_classes(weights) == 3


def test_counts_of_batches_may_be_missing() -> None:
    weights = weights_of("deeplabv3", "resnet18", Shape(decoder_channels=16))
    older = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    assert recognise_network(older, ARCHITECTURES, ENCODERS).weights.keys() == weights.keys()


def test_weights_of_another_network_are_refused() -> None:
    weights = weights_of("deeplabv3", "resnet34", Shape(decoder_channels=16))
    with pytest.raises(InvalidInputError, match="none of deeplabv3plus, deeplabv3"):
        recognise_network(weights, ARCHITECTURES, ENCODERS)
    del weights["encoder.conv1.weight"]
    with pytest.raises(InvalidInputError, match="resnet34"):
        recognise_network(weights, ARCHITECTURES, ("resnet34",))


@pytest.mark.parametrize("weights", [{}, {"segmentation_head.0.weight": torch.zeros(3)}])
def test_weights_without_a_last_layer_are_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidInputError, match="segmentation_head"):
        count_classes(weights)


def test_group_norm_is_recognised() -> None:
    shape = Shape(decoder_channels=16, norm="group")
    found = recognise_network(weights_of("deeplabv3plus", "mobilenet_v2", shape), ARCHITECTURES, ENCODERS)
    assert (found.encoder, found.shape) == ("mobilenet_v2", shape)
