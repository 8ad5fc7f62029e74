from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import RECIPE  # noqa: E402

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.models.architectures import TwoLogits  # noqa: E402
from atrous.training.cross_entropy import VoidCrossEntropy  # noqa: E402
from atrous.training.loss import TrainingLoss  # noqa: E402
from atrous.training.overlap import dice_loss, lovasz_loss  # noqa: E402


def draw_batch():
    generator = torch.Generator().manual_seed(0)
    logits_BKHW, auxiliary_BKHW = torch.randn(2, 2, 3, 6, 5, generator=generator)
    mask_BHW = torch.randint(0, 3, (2, 6, 5), generator=generator)
    mask_BHW[0] = VOID_ID
    return logits_BKHW, auxiliary_BKHW, mask_BHW


def test_without_any_choice_it_is_cross_entropy() -> None:
    logits_BKHW, _, mask_BHW = draw_batch()
    assert TrainingLoss(RECIPE, None)(logits_BKHW, mask_BHW) == VoidCrossEntropy(None)(logits_BKHW, mask_BHW)


@pytest.mark.parametrize(("name", "overlap"), [("dice", dice_loss), ("lovasz", lovasz_loss)])
def test_an_overlap_is_added_as_often_as_it_weighs(name: str, overlap) -> None:
    logits_BKHW, _, mask_BHW = draw_batch()
    loss = TrainingLoss(replace(RECIPE, overlap_loss=name, overlap_weight=0.5), None)
    expected = VoidCrossEntropy(None)(logits_BKHW, mask_BHW) + 0.5 * overlap(logits_BKHW, mask_BHW)
    torch.testing.assert_close(loss(logits_BKHW, mask_BHW), expected)


def test_a_second_head_is_weighed_and_sees_cross_entropy_alone() -> None:
    logits_BKHW, auxiliary_BKHW, mask_BHW = draw_batch()
    recipe = replace(RECIPE, auxiliary_weight=0.4, overlap_loss="dice", label_smoothing=0.1, hard_share=0.5)
    cross_entropy = VoidCrossEntropy(None, label_smoothing=0.1, hard_share=0.5)
    expected = cross_entropy(logits_BKHW, mask_BHW) + dice_loss(logits_BKHW, mask_BHW)
    expected += 0.4 * cross_entropy(auxiliary_BKHW, mask_BHW)
    torch.testing.assert_close(TrainingLoss(recipe, None)(TwoLogits(logits_BKHW, auxiliary_BKHW), mask_BHW), expected)


@pytest.mark.parametrize("overlap", ["none", "dice", "lovasz"])
def test_nothing_but_void_costs_nothing_and_moves_nothing(overlap: str) -> None:
    recipe = replace(RECIPE, overlap_loss=overlap, hard_share=0.1, label_smoothing=0.1, auxiliary_weight=1.0)
    heads = [torch.randn(1, 3, 4, 4).requires_grad_() for _ in range(2)]
    loss = TrainingLoss(recipe, None)(TwoLogits(*heads), torch.full((1, 4, 4), VOID_ID))
    loss.backward()
    assert loss.item() == 0
    assert all(torch.equal(head.grad, torch.zeros_like(head)) for head in heads)
