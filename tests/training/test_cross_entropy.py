from __future__ import annotations

from math import log

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.training.cross_entropy import VoidCrossEntropy, weigh_classes  # noqa: E402

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


def find_own_probabilities(logits_BKHW, mask_BHW):
    """Of each labelled pixel, in plain Python."""
    pixels = zip(logits_BKHW.softmax(1).permute(0, 2, 3, 1).reshape(-1, CLASSES), mask_BHW.flatten(), strict=True)
    return [(float(scores_K[label]), int(label)) for scores_K, label in pixels if label != VOID_ID]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_smoothing_spreads_a_share_of_each_label_over_all_classes(weights) -> None:
    logits_BKHW, mask_BHW = draw_batch()
    weight_K = torch.ones(CLASSES) if weights is None else torch.from_numpy(weights)
    costs = []
    for scores_K, label in zip(logits_BKHW.permute(0, 2, 3, 1).reshape(-1, CLASSES), mask_BHW.flatten(), strict=True):
        if label != VOID_ID:
            target_K = torch.full((CLASSES,), 0.2 / CLASSES)
            target_K[label] += 0.8
            costs.append(-(weight_K * target_K * scores_K.log_softmax(0)).sum().item())
    loss = VoidCrossEntropy(weights, label_smoothing=0.2)(logits_BKHW, mask_BHW)
    assert loss.item() == pytest.approx(np.mean(costs), rel=1e-5)  # float32 sums in another order


@pytest.mark.parametrize(("share", "below"), [(0.25, 0.0), (0.5, 0.0), (0.25, 0.4), (0.01, 1.0)])
def test_only_hard_pixels_count(share: float, below: float) -> None:
    logits_BKHW, mask_BHW = draw_batch()
    own = sorted(find_own_probabilities(logits_BKHW, mask_BHW))
    least = int(np.ceil(share * len(own)))
    kept = [-log(p) for place, (p, _) in enumerate(own) if place < least or p < below]
    loss = VoidCrossEntropy(None, hard_share=share, hard_below=below)(logits_BKHW, mask_BHW)
    assert loss.item() == pytest.approx(np.mean(kept), rel=1e-5)


def test_easy_pixels_have_no_gradient_and_hard_ones_count_by_their_class() -> None:
    # Own probabilities 0.9, 0.6, 0.2 and void: half of three is two.
    logits = torch.tensor([[0.9, 0.6, 0.8, 0.5], [0.1, 0.4, 0.2, 0.5]]).log()[None, :, None].requires_grad_()
    mask_BHW = torch.tensor([[[0, 0, 1, VOID_ID]]])
    loss = VoidCrossEntropy(np.array([1, 3], np.float32), hard_share=0.5)(logits, mask_BHW)
    loss.backward()
    assert loss.item() == pytest.approx((-log(0.6) - 3 * log(0.2)) / 2, rel=1e-5)
    assert (logits.grad[0, :, 0].abs().sum(0) > 0).tolist() == [False, True, True, False]


def test_hardness_does_not_depend_on_void() -> None:
    logits_BKHW, mask_BHW = draw_batch()
    other_BKHW = torch.where((mask_BHW == VOID_ID)[:, None], logits_BKHW * 100, logits_BKHW)
    loss = VoidCrossEntropy(None, hard_share=0.3)
    assert loss(logits_BKHW, mask_BHW) == loss(other_BKHW, mask_BHW)


def test_void_alone_costs_nothing_where_hard_pixels_are_looked_for() -> None:
    leaf = torch.randn(1, CLASSES, 4, 4).requires_grad_()
    loss = VoidCrossEntropy(WEIGHTS, hard_share=0.2, label_smoothing=0.1)(leaf, torch.full((1, 4, 4), VOID_ID))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(leaf.grad, torch.zeros_like(leaf))
