from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import RECIPE  # noqa: E402

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.core.sizes import Size  # noqa: E402
from atrous.training.augmentation import PADDING_RGB, choose_crop, make_augmentation  # noqa: E402

SIZE = Size(height=64, width=96)
RARE = 4
SEEDS = range(60)
STILL = replace(RECIPE, flip=False, scale_min=1.0, scale_max=1.0, colour_jitter=0.0)


def draw_mask():
    """One class but for a corner of void and four pixels of a rare class."""
    mask_HW = torch.zeros(64, 96, dtype=torch.uint8)
    mask_HW[:20, :20] = VOID_ID
    mask_HW[50:52, 80:82] = RARE
    return mask_HW


def paint(mask_HW):
    """Each pixel tells its row and column."""
    height, width = mask_HW.shape
    rows_HW, columns_HW = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows_HW, columns_HW, mask_HW]).to(torch.uint8)


def crop(mask_HW, **changes):
    augment = make_augmentation(replace(STILL, **changes), SIZE)
    return [augment(paint(mask_HW), mask_HW, seed) for seed in SEEDS]


@pytest.mark.parametrize(
    ("share", "height", "width"), [(1.0, 64, 96), (0.5, 32, 48), (0.3, 16, 32), (0.1, 16, 16), (0.99, 64, 96)]
)
def test_crops_are_a_share_of_the_network_in_whole_cells(share: float, height: int, width: int) -> None:
    assert choose_crop(SIZE, share) == Size(height=height, width=width)


def test_a_crop_is_never_larger_than_the_network_nor_another_than_it_at_a_share_of_one() -> None:
    assert choose_crop(Size(height=10, width=50), 0.9) == Size(height=10, width=48)
    assert choose_crop(Size(height=10, width=50), 1.0) == Size(height=10, width=50)


@pytest.mark.parametrize("balanced", [0.0, 1.0])
def test_small_crops_are_cut_from_all_over_the_picture_and_its_mask_alike(balanced: float) -> None:
    mask_HW = draw_mask()
    seen_HW = torch.zeros_like(mask_HW)
    for image_CHW, cropped_HW in crop(mask_HW, crop_share=0.5, balanced_crops=balanced):
        assert image_CHW.shape == (3, 32, 48)
        top, left = image_CHW[:2, 0, 0].tolist()
        assert torch.equal(cropped_HW, mask_HW[top : top + 32, left : left + 48])
        assert torch.equal(image_CHW, paint(mask_HW)[:, top : top + 32, left : left + 48])
        seen_HW[top : top + 32, left : left + 48] = 1
    assert seen_HW.float().mean() > 0.8


def test_balanced_crops_show_a_rare_class_as_often_as_a_common_one() -> None:
    shown = {
        balanced: sum((cropped_HW == RARE).any().item() for _, cropped_HW in crop(draw_mask(), **changes))
        for balanced, changes in (
            (0.0, {"crop_share": 0.25}),
            (1.0, {"crop_share": 0.25, "balanced_crops": 1.0}),
        )
    }
    # By chance such a crop meets it one time in ten; half of the balanced ones are laid over it.
    assert shown[0.0] < 15
    assert shown[1.0] >= 22


def test_what_a_crop_is_laid_over_lies_anywhere_in_it() -> None:
    places = set()
    for _, cropped_HW in crop(draw_mask(), crop_share=0.25, balanced_crops=1.0):
        places.update(map(tuple, (cropped_HW == RARE).nonzero().tolist()))
    rows, columns = zip(*places, strict=True)
    assert max(rows) - min(rows) > 8  # of 16
    assert max(columns) - min(columns) > 12  # of 24


def test_pictures_zoomed_out_are_padded_with_void() -> None:
    mask_HW = torch.full((64, 96), RARE, dtype=torch.uint8)
    for image_CHW, cropped_HW in crop(mask_HW, scale_min=0.5, scale_max=0.5, balanced_crops=1.0):
        assert cropped_HW.shape == (64, 96)
        is_padding_HW = cropped_HW == VOID_ID
        assert (~is_padding_HW).sum() == 32 * 48
        assert (image_CHW[:, is_padding_HW] == torch.tensor(PADDING_RGB)[:, None]).all()


def test_a_picture_of_nothing_but_void_is_cropped_anywhere() -> None:
    mask_HW = torch.full((64, 96), VOID_ID, dtype=torch.uint8)
    for _, cropped_HW in crop(mask_HW, crop_share=0.5, balanced_crops=1.0):
        assert (cropped_HW == VOID_ID).all()
