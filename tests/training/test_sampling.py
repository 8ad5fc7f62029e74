from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.datasets import draw_samples

from atrous.datasets.content import count_class_pixels, count_picture_pixels, load_mask
from atrous.training.sampling import draw_pictures, weigh_pictures

# Everybody shows class 0, half show class 1, one of eight shows class 2, nobody shows class 3.
PIXELS_PK = np.array([[9, 0, 0, 0]] * 4 + [[9, 5, 0, 0]] * 3 + [[9, 1, 1, 0]])


def test_a_picture_weighs_by_its_rarest_class() -> None:
    # sqrt(0.5 / 0.125) = 2; at a limit of one half, a class that half of the pictures show is not rare.
    np.testing.assert_allclose(weigh_pictures(PIXELS_PK, 0.5), [1, 1, 1, 1, 1, 1, 1, 2])
    np.testing.assert_allclose(weigh_pictures(PIXELS_PK, 1.0), [1] * 4 + [2**0.5] * 3 + [8**0.5])


def test_without_a_limit_or_without_labels_all_weigh_alike() -> None:
    np.testing.assert_array_equal(weigh_pictures(PIXELS_PK, 0.0), np.ones(8))
    np.testing.assert_array_equal(weigh_pictures(np.zeros((3, 2), np.int64), 1.0), np.ones(3))


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_comes_as_often_as_it_weighs_rounded_by_chance(seed: int) -> None:
    weights_P = np.array([1, 1, 3, 1.5, 1, 2.5, 1, 1])
    times_P = np.bincount(draw_pictures(weights_P, np.random.default_rng(seed)), minlength=8)
    expected_P = weights_P * 8 / weights_P.sum()
    assert times_P.sum() == 8
    assert (times_P >= np.floor(expected_P)).all()
    assert (times_P <= np.ceil(expected_P)).all()


def test_over_many_epochs_pictures_come_as_often_as_they_weigh() -> None:
    weights_P = np.array([1.0, 1, 3, 1.5])
    rng = np.random.default_rng(0)
    times_P = sum(np.bincount(draw_pictures(weights_P, rng), minlength=4) for _ in range(2000))
    np.testing.assert_allclose(times_P / 2000, weights_P * 4 / weights_P.sum(), atol=0.05)  # five standard errors


def test_equal_weights_take_each_picture_once_in_an_order_of_chance() -> None:
    first, second = (draw_pictures(np.ones(50), np.random.default_rng(seed)).tolist() for seed in (1, 2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert first == draw_pictures(np.ones(50), np.random.default_rng(1)).tolist()


def test_pixels_are_counted_by_picture(tmp_path) -> None:
    samples = draw_samples(tmp_path)
    counts_PK = count_picture_pixels(samples, 3)
    for sample, counts_K in zip(samples, counts_PK, strict=True):
        mask_HW = load_mask(sample.name, sample.mask_path)
        np.testing.assert_array_equal(counts_K, [(mask_HW == one).sum() for one in range(3)])
    np.testing.assert_array_equal(count_class_pixels(samples, 3), counts_PK.sum(axis=0))
    assert count_picture_pixels([], 3).shape == (0, 3)
