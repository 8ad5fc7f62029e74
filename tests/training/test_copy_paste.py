from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import ROAD, SIGN  # noqa: E402
from tests.training.runs import make_config  # noqa: E402

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.datasets.content import count_picture_pixels  # noqa: E402
from atrous.training.batches import AugmentedSamples, FittedSamples  # noqa: E402
from atrous.training.copy_paste import Donors, paste_class  # noqa: E402

# Class 1 is common, 2 and 3 are rare, 4 is never shown; background is rarest of all.
PIXELS_PK = np.array([[1, 90, 0, 0, 0], [0, 90, 8, 0, 0], [0, 90, 0, 4, 0], [0, 90, 8, 0, 0]])
SEEDS = range(400)


def test_rare_classes_are_pasted_each_as_often_from_pictures_that_show_them() -> None:
    donors = Donors(PIXELS_PK, 1.0)
    assert donors.class_ids == (2, 3)
    drawn = [donors.draw(seed) for seed in SEEDS]
    assert {(one.class_id, one.index) for one in drawn} == {(2, 1), (2, 3), (3, 2)}
    times = Counter(one.class_id for one in drawn)
    assert abs(times[2] - times[3]) < 80  # four standard errors
    assert len({one.seed for one in drawn}) == len(drawn)


def test_a_share_of_the_pictures_gets_something_the_same_for_the_same_seed() -> None:
    donors = Donors(PIXELS_PK, 0.25)
    drawn = [donors.draw(seed) for seed in SEEDS]
    assert 65 < sum(one is not None for one in drawn) < 135  # 100, four standard errors
    assert drawn == [Donors(PIXELS_PK, 0.25).draw(seed) for seed in SEEDS]


@pytest.mark.parametrize("pixels_PK", [np.zeros((2, 3), np.int64), np.full((2, 3), 7), np.array([[1, 50], [1, 50]])])
def test_where_no_class_is_rare_nothing_is_pasted(pixels_PK) -> None:
    assert Donors(pixels_PK, 1.0).draw(0) is None


def test_only_the_pixels_of_the_class_are_pasted() -> None:
    rng = np.random.default_rng(0)
    image_CHW, giver_CHW = torch.from_numpy(rng.integers(0, 256, (2, 3, 8, 9), np.uint8))
    mask_HW, giver_HW = torch.from_numpy(rng.choice(np.array([0, 1, 2, VOID_ID], np.uint8), (2, 8, 9)))
    before = image_CHW.clone(), mask_HW.clone()
    pasted_CHW, pasted_HW = paste_class(image_CHW, mask_HW, giver_CHW, giver_HW, 2)
    is_given_HW = giver_HW == 2
    assert (pasted_HW[is_given_HW] == 2).all()
    assert torch.equal(pasted_CHW[:, is_given_HW], giver_CHW[:, is_given_HW])
    assert torch.equal(pasted_HW[~is_given_HW], mask_HW[~is_given_HW])
    assert torch.equal(pasted_CHW[:, ~is_given_HW], image_CHW[:, ~is_given_HW])
    assert torch.equal(image_CHW, before[0])
    assert torch.equal(mask_HW, before[1])


def test_samples_get_more_of_a_rare_class_and_its_own_pixels(tmp_path) -> None:
    config = make_config(tmp_path)
    recipe = replace(config.recipe, flip=True, scale_min=1.0, scale_max=1.0, colour_jitter=0.0)
    fitted = FittedSamples(config.samples, config.preprocessing)
    donors = Donors(count_picture_pixels(config.samples, 3), 1.0)
    assert SIGN in donors.class_ids
    plain, pasted = (AugmentedSamples(fitted, config.preprocessing, recipe, one) for one in (None, donors))
    signs = []
    for samples in (plain, pasted):
        masks = [samples[epoch, index][1] for epoch in range(8) for index in range(len(config.samples))]
        signs.append(sum((mask_HW == SIGN).sum().item() for mask_HW in masks))
        assert {int(one) for mask_HW in masks for one in mask_HW.unique()} <= {0, ROAD, SIGN, VOID_ID}
    assert signs[1] > 1.2 * signs[0]
    first, again = (pasted[3, 1] for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
