from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.training.overlap import OVERLAP_LOSSES, dice_loss, lovasz_loss  # noqa: E402

CLASSES = 4
each_loss = pytest.mark.parametrize("loss", OVERLAP_LOSSES.values(), ids=OVERLAP_LOSSES)


def draw_batch():
    """Logits and labels of two pictures: a third is void, and the last class has no label."""
    generator = torch.Generator().manual_seed(1)
    logits_BKHW = 2 * torch.randn(2, CLASSES, 6, 5, generator=generator)
    mask_BHW = torch.randint(0, CLASSES - 1, (2, 6, 5), generator=generator)
    mask_BHW[:, ::3] = VOID_ID
    return logits_BKHW, mask_BHW


def list_pixels(logits_BKHW, mask_BHW):
    """Probabilities [P, K] and labels [P] of labelled pixels, as numpy arrays in float64."""
    probability_PK = logits_BKHW.double().softmax(1).permute(0, 2, 3, 1).reshape(-1, CLASSES).numpy()
    label_P = mask_BHW.flatten().numpy()
    return probability_PK[label_P != VOID_ID], label_P[label_P != VOID_ID]


def find_dice(probability_PK, label_P) -> float:
    scores = []
    for class_id in np.unique(label_P):
        is_label_P = label_P == class_id
        found_P = probability_PK[:, class_id]
        scores.append(2 * found_P[is_label_P].sum() / (found_P.sum() + is_label_P.sum()))
    return 1 - np.mean(scores)


def find_lovasz(probability_PK, label_P) -> float:
    """As defined: the Jaccard loss of growing sets of the worst pixels, weighed by how wrong they are."""
    losses = []
    for class_id in np.unique(label_P):
        is_label_P = label_P == class_id
        error_P = np.abs(is_label_P - probability_PK[:, class_id])
        loss, before, wrong_P = 0.0, 0.0, np.zeros(len(label_P), bool)
        for place in np.argsort(-error_P, kind="stable"):
            wrong_P[place] = True
            predicted_P = is_label_P ^ wrong_P
            jaccard = 1 - (predicted_P & is_label_P).sum() / (predicted_P | is_label_P).sum()
            loss, before = loss + error_P[place] * (jaccard - before), jaccard
        losses.append(loss)
    return float(np.mean(losses))


@pytest.mark.parametrize(("loss", "plain"), [(dice_loss, find_dice), (lovasz_loss, find_lovasz)])
def test_a_loss_is_what_its_plain_definition_says(loss, plain) -> None:
    batch = draw_batch()
    assert loss(*batch).item() == pytest.approx(plain(*list_pixels(*batch)), rel=1e-5)  # float32


@each_loss
def test_sure_and_right_costs_nothing_and_sure_and_wrong_costs_all(loss) -> None:
    mask_BHW = torch.tensor([[[0, 1, 1, 0]]])
    sure_BKHW = 100 * torch.nn.functional.one_hot(mask_BHW, 2).permute(0, 3, 1, 2).float()
    assert loss(sure_BKHW, mask_BHW).item() == pytest.approx(0, abs=1e-6)
    assert loss(sure_BKHW, 1 - mask_BHW).item() == pytest.approx(1, abs=1e-6)


def test_of_sure_answers_lovasz_is_one_minus_the_mean_iou() -> None:
    label_BHW = torch.tensor([[[0, 0, 0, 1, 1, 2, VOID_ID]]])
    answer_BHW = torch.tensor([[[0, 1, 0, 1, 2, 2, 0]]])
    sure_BKHW = 100 * torch.nn.functional.one_hot(answer_BHW, CLASSES).permute(0, 3, 1, 2).float()
    mean_iou = np.mean([2 / 3, 1 / 3, 1 / 2])
    assert lovasz_loss(sure_BKHW, label_BHW).item() == pytest.approx(1 - mean_iou, rel=1e-5)


@each_loss
def test_gradients_are_those_of_small_differences(loss) -> None:
    generator = torch.Generator().manual_seed(2)
    logits_BKHW = torch.randn(1, 3, 2, 3, generator=generator)
    mask_BHW = torch.tensor([[[0, 1, VOID_ID], [1, 1, 0]]])
    leaf = logits_BKHW.clone().requires_grad_()
    loss(leaf, mask_BHW).backward()
    for place in np.ndindex(*logits_BKHW.shape):
        step = torch.zeros_like(logits_BKHW)
        step[place] = 1e-2
        slope = (loss(logits_BKHW + step, mask_BHW) - loss(logits_BKHW - step, mask_BHW)) / 2e-2
        assert leaf.grad[place].item() == pytest.approx(slope.item(), abs=2e-4)  # float32 over a small step


@each_loss
def test_void_pixels_change_neither_loss_nor_gradients(loss) -> None:
    logits_BKHW, mask_BHW = draw_batch()
    is_void_B1HW = (mask_BHW == VOID_ID)[:, None]
    leaf, other = (
        one.clone().requires_grad_() for one in (logits_BKHW, torch.where(is_void_B1HW, logits_BKHW + 50, logits_BKHW))
    )
    loss(leaf, mask_BHW).backward()
    loss(other, mask_BHW).backward()
    assert torch.equal(leaf.grad, other.grad)
    assert leaf.grad[is_void_B1HW.expand_as(leaf)].abs().sum() == 0 < leaf.grad.abs().sum()


@each_loss
def test_a_batch_of_nothing_but_void_costs_nothing(loss) -> None:
    leaf = torch.full((1, CLASSES, 4, 4), torch.inf).requires_grad_()
    cost = loss(leaf, torch.full((1, 4, 4), VOID_ID))
    cost.backward()
    assert cost.item() == 0
    assert torch.equal(leaf.grad, torch.zeros_like(leaf))
