from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import RECIPE  # noqa: E402

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.models.architectures import build_network  # noqa: E402
from atrous.training.optimiser import VoidCrossEntropy, make_optimiser, set_learning_rate, weigh_classes  # noqa: E402

CLASSES = 3
WEIGHTS = np.array([1, 3, 0.5], np.float32)


def draw_batch():
    """Logits and labels of two pictures, a third of the labels void."""
    generator = torch.Generator().manual_seed(0)
    logits_BKHW = torch.randn(2, CLASSES, 6, 5, generator=generator)
    mask_BHW = torch.randint(0, CLASSES, (2, 6, 5), generator=generator)
    mask_BHW[:, ::3] = VOID_ID
    return logits_BKHW, mask_BHW


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_void_pixels_change_neither_loss_nor_gradients(weights) -> None:
    logits_BKHW, mask_BHW = draw_batch()
    other_BKHW = torch.where((mask_BHW == VOID_ID)[:, None], logits_BKHW + 100, logits_BKHW)
    losses, gradients = [], []
    for scores_BKHW in (logits_BKHW, other_BKHW):
        leaf = scores_BKHW.clone().requires_grad_()
        loss = VoidCrossEntropy(weights)(leaf, mask_BHW)
        loss.backward()
        losses.append(loss.item())
        gradients.append(leaf.grad)
    assert losses[0] == losses[1] > 0
    assert torch.equal(gradients[0], gradients[1])
    assert gradients[0].permute(0, 2, 3, 1)[mask_BHW == VOID_ID].abs().sum() == 0


def test_the_mean_is_over_labelled_pixels_alone() -> None:
    logits_BKHW, mask_BHW = draw_batch()
    labelled = mask_BHW != VOID_ID
    expected = torch.nn.functional.cross_entropy(logits_BKHW.permute(0, 2, 3, 1)[labelled], mask_BHW[labelled])
    # Float32 sums in another order.
    assert VoidCrossEntropy(None)(logits_BKHW, mask_BHW).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_batch_of_nothing_but_void_costs_nothing(weights) -> None:
    leaf = torch.randn(1, CLASSES, 4, 4).requires_grad_()
    loss = VoidCrossEntropy(weights)(leaf, torch.full((1, 4, 4), VOID_ID))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(leaf.grad, torch.zeros_like(leaf))


def test_a_class_counts_as_often_as_it_weighs() -> None:
    # Equal logits cost log 2 a pixel: once for class 0 and three times for class 1, over two pixels.
    loss = VoidCrossEntropy(np.array([1, 3], np.float32))(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]]))
    assert loss.item() == pytest.approx(2 * log(2), rel=1e-6)  # float32


def test_classes_weigh_by_the_inverse_root_of_their_share() -> None:
    # Roots 8, 4, 2 give 1 : 2 : 4; a mean of 1 over 84 pixels makes the first 84 / (64 + 2 * 16 + 4 * 4) = 0.75.
    np.testing.assert_allclose(weigh_classes(np.array([64, 16, 0, 4])), [0.75, 1.5, 0, 3], rtol=1e-6)


def test_no_class_weighs_over_ten_times_the_most_common_one() -> None:
    weights = weigh_classes(np.array([1_000_000, 1]))
    assert weights[1] / weights[0] == pytest.approx(10, rel=1e-5)  # float32


def test_labels_of_nothing_but_void_weigh_nothing() -> None:
    np.testing.assert_array_equal(weigh_classes(np.zeros(3, np.int64)), [0, 0, 0])


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
