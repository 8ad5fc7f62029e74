from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import RECIPE  # noqa: E402

from atrous.models.architectures import Shape, build_network  # noqa: E402
from atrous.training.optimiser import make_optimiser, set_learning_rate  # noqa: E402


def test_the_rate_warms_up_and_then_falls_polynomially() -> None:
    recipe = replace(RECIPE, learning_rate=1.0, warmup_share=0.2, poly_power=0.9, encoder_lr_factor=0.1)
    optimiser = make_optimiser(build_network("deeplabv3plus", "tu-test_resnet", 2), recipe)
    rates = [set_learning_rate(optimiser, recipe, step, 10) for step in range(10)]
    assert rates == pytest.approx([0.5] + [(1 - step / 10) ** 0.9 for step in range(1, 10)])
    assert {group["lr"] for group in optimiser.param_groups} == {rates[-1], rates[-1] * 0.1}


def test_each_weight_is_trained_once_and_only_kernels_decay() -> None:
    network = build_network("deeplabv3plus", "tu-test_resnet", 2)
    optimiser = make_optimiser(network, replace(RECIPE, weight_decay=0.3, encoder_lr_factor=0.5))
    decays, factors = {}, {}
    for group in optimiser.param_groups:
        for weight in group["params"]:
            assert weight not in decays
            decays[weight], factors[weight] = group["weight_decay"], group["lr_factor"]
    for name, weight in network.named_parameters():
        assert decays[weight] == (0.3 if weight.ndim > 1 else 0.0), name
        assert factors[weight] == (0.5 if name.startswith("network.encoder.") else 1.0), name


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_without_weight_decay_every_weight_is_trained_still(optimiser: str) -> None:
    network = build_network("deeplabv3plus", "tu-test_resnet", 2)
    made = make_optimiser(network, replace(RECIPE, weight_decay=0.0, optimiser=optimiser))
    trained = sum(len(group["params"]) for group in made.param_groups)
    assert trained == len(list(network.parameters()))


def test_a_frozen_norm_is_not_trained_and_a_second_head_is() -> None:
    shape = Shape(norm="frozen")
    network = build_network("deeplabv3plus", "tu-test_resnet", 2, shape, auxiliary=True)
    trained = {weight for group in make_optimiser(network, RECIPE).param_groups for weight in group["params"]}
    named = dict(network.named_parameters())
    assert {name for name, weight in named.items() if weight not in trained} == {
        name for name, weight in named.items() if name.startswith("network.encoder.") and weight.ndim == 1
    }


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_steps_as_nesterov_says(momentum: float) -> None:
    network = build_network("deeplabv3plus", "tu-test_resnet", 2)
    recipe = replace(RECIPE, optimiser="sgd", momentum=momentum, learning_rate=0.1, weight_decay=0.0)
    optimiser = make_optimiser(network, recipe)
    weight = network.network.segmentation_head[0].bias
    expected, velocity = weight.detach().clone(), torch.zeros_like(weight)
    for number in (1.0, -2.0, 3.0):
        optimiser.zero_grad()
        weight.grad = torch.full_like(weight, number)
        optimiser.step()
        velocity = momentum * velocity + number
        expected -= 0.1 * (number + momentum * velocity)
    torch.testing.assert_close(weight.detach(), expected)
