from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import RECIPE  # noqa: E402

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.core.sizes import Size  # noqa: E402
from atrous.training.augmentation import PADDING_RGB, make_augmentation  # noqa: E402

SIZE = Size(height=60, width=84)
IDS = (0, 3, 7, 254)
SEEDS = range(40)
SHAPES_ONLY = replace(RECIPE, flip=True, scale_min=0.5, scale_max=2.0, colour_jitter=0.0)
EVERYTHING = replace(SHAPES_ONLY, colour_jitter=1.0)


def draw_mask():
    """Blocks of four ids and a void corner."""
    rng = np.random.default_rng(0)
    mask_HW = rng.choice(np.array(IDS, np.uint8), (5, 7)).repeat(12, 0).repeat(12, 1)
    mask_HW[:12, :12] = VOID_ID
    return torch.from_numpy(mask_HW)


def paint(mask_HW):
    """A picture whose three channels tell the id."""
    return torch.stack([mask_HW, 255 - mask_HW, mask_HW // 2])


@pytest.mark.parametrize("recipe", [SHAPES_ONLY, EVERYTHING])
def test_a_mask_keeps_to_its_own_ids_and_void(recipe) -> None:
    mask_HW = draw_mask()
    augment = make_augmentation(recipe, SIZE)
    for seed in SEEDS:
        image_CHW, changed_HW = augment(paint(mask_HW), mask_HW, seed)
        assert set(changed_HW.unique().tolist()) <= {*IDS, VOID_ID}
        assert (image_CHW.shape, changed_HW.shape) == ((3, 60, 84), (60, 84))
        assert (image_CHW.dtype, changed_HW.dtype) == (torch.uint8, torch.uint8)


def test_picture_and_mask_move_together() -> None:
    mask_HW = draw_mask()
    augment = make_augmentation(SHAPES_ONLY, SIZE)
    compared = 0
    for seed in SEEDS:
        image_CHW, changed_HW = augment(paint(mask_HW), mask_HW, seed)
        is_padding = (image_CHW == torch.tensor(PADDING_RGB)[:, None, None]).all(0)
        assert (changed_HW[is_padding] == VOID_ID).all()
        # Two pixels from any border the bilinear resize has only one colour to mix.
        ids_HW = changed_HW.numpy()
        inner_HW = cv2.erode(ids_HW, np.ones((5, 5))) == cv2.dilate(ids_HW, np.ones((5, 5)))
        inner = (torch.from_numpy(inner_HW) & ~is_padding)[2:-2, 2:-2]
        difference = (image_CHW.int() - paint(changed_HW).int()).abs().amax(0)[2:-2, 2:-2]
        assert difference[inner].max() <= 1  # rounding of the resize
        compared += int(inner.sum())
    assert compared > len(SEEDS) * SIZE.pixels // 10


def test_a_zoom_shifts_no_label_against_its_picture() -> None:
    mask_HW = torch.from_numpy(cv2.circle(np.zeros((60, 84), np.uint8), (42, 30), 12, 1, cv2.FILLED))
    augment = make_augmentation(replace(SHAPES_ONLY, flip=False, scale_min=0.75, scale_max=1.5), SIZE)
    columns = torch.arange(84.0)
    shifts = []
    for seed in SEEDS:
        image_CHW, changed_HW = augment((mask_HW * 255).expand(3, -1, -1), mask_HW, seed)
        inside = changed_HW == 1
        bright = image_CHW[0] * (changed_HW != VOID_ID)
        shifts.append((_mean(inside, columns) - _mean(bright, columns)).item())
    # Rounding to whole pixels leaves up to a quarter in one picture, either way; a bias would be a third on average.
    assert abs(np.mean(shifts)) < 0.1


def _mean(amount_HW, columns):
    per_column = amount_HW.float().sum(0)
    return (per_column * columns).sum() / per_column.sum()


def test_the_same_seed_makes_the_same_change_whatever_ran_before() -> None:
    mask_HW = draw_mask()
    augment = make_augmentation(EVERYTHING, SIZE)
    first = augment(paint(mask_HW), mask_HW, 5)
    torch.rand(1000)
    again = make_augmentation(EVERYTHING, SIZE)(paint(mask_HW), mask_HW, 5)
    other = augment(paint(mask_HW), mask_HW, 6)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_augmentation_leaves_the_global_random_state_and_its_input_alone() -> None:
    mask_HW = draw_mask()
    image_CHW = paint(mask_HW)
    before = torch.get_rng_state()
    make_augmentation(EVERYTHING, SIZE)(image_CHW, mask_HW, 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(mask_HW, draw_mask())
    assert torch.equal(image_CHW, paint(mask_HW))


def test_everything_off_changes_nothing() -> None:
    mask_HW = draw_mask()
    still = replace(RECIPE, flip=False, scale_min=1.0, scale_max=1.0, colour_jitter=0.0)
    image_CHW, changed_HW = make_augmentation(still, SIZE)(paint(mask_HW), mask_HW, 1)
    assert torch.equal(image_CHW, paint(mask_HW))
    assert torch.equal(changed_HW, mask_HW)


def test_flips_come_about_half_of_the_time() -> None:
    mask_HW = draw_mask()
    augment = make_augmentation(replace(RECIPE, flip=True, scale_min=1.0, scale_max=1.0, colour_jitter=0.0), SIZE)
    changed = [augment(paint(mask_HW), mask_HW, seed)[1] for seed in SEEDS]
    assert all(torch.equal(one, mask_HW) or torch.equal(one, mask_HW.flip(1)) for one in changed)
    assert 10 < sum(torch.equal(one, mask_HW) for one in changed) < 30
