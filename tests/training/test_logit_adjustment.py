from __future__ import annotations

import numpy as np
from tests.fakes.datasets import CLASS_MAP, ROAD, SIGN

from atrous.training.logit_adjustment import Weighing, choose_adjustments, list_weighings

WEIGHTS = np.array([0.5, 2, 8], np.float32)


def find_factors(weights, adjustments):
    """What probabilities are multiplied by."""
    return np.exp(Weighing(np.float32(weights), np.float32(adjustments)).find_shift())


def test_a_shift_divides_probabilities_by_a_power_of_the_weights() -> None:
    np.testing.assert_allclose(find_factors(WEIGHTS, [0, 0, 0]), [1, 1, 1])
    np.testing.assert_allclose(find_factors(WEIGHTS, [1, 1, 1]), [2, 0.5, 0.125], rtol=1e-6)  # float32
    np.testing.assert_allclose(find_factors(WEIGHTS, [1, 0.5, 0]), [2, 2**-0.5, 1], rtol=1e-6)


def test_a_class_without_a_pixel_comes_forward_no_more_than_the_rarest_one() -> None:
    factors_K = find_factors([0, 1, 4], [1, 1, 1])
    assert factors_K[0] == factors_K[2] < factors_K[1]


def test_all_classes_are_adjusted_alike_by_nothing_half_and_all() -> None:
    listed = list_weighings(WEIGHTS)
    assert [one.adjustments_K.tolist() for one in listed if one] == [[0] * 3, [0.5] * 3, [1] * 3]


def test_without_weights_there_is_nothing_to_take_out() -> None:
    assert list_weighings(None) == list_weighings(np.zeros(3, np.float32)) == [None]


def test_each_class_gets_what_its_own_pixels_want() -> None:
    # By its weight background is taken for road, which is found without it; signs are found by their weight alone.
    weights_K = np.array([1, 4, 16], np.float32)
    named = np.log([[3, 2, 1e-6], [1, 9, 1e-6], [3, 1e-6, 0.5]]) + np.log(weights_K)
    label_N = np.repeat(np.uint8([0, ROAD, SIGN]), 50)
    logits_NK = np.repeat(named, 50, axis=0).astype(np.float32)
    start = Weighing(weights_K, np.zeros(3, np.float32))
    chosen = choose_adjustments(logits_NK, label_N, start, CLASS_MAP)
    assert (logits_NK + start.find_shift()).argmax(axis=1).tolist() != label_N.tolist()
    assert (logits_NK + chosen.find_shift()).argmax(axis=1).tolist() == label_N.tolist()
    assert chosen.adjustments_K.tolist() == [0, 1, 0]
