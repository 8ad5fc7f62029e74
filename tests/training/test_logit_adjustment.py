from __future__ import annotations

import numpy as np

from atrous.training.logit_adjustment import list_shifts


def test_a_shift_divides_probabilities_by_a_power_of_the_weights() -> None:
    shifts = list_shifts(np.array([0.5, 2, 8], np.float32), class_count=3)
    factors = {adjustment: np.exp(shift_K) for adjustment, shift_K in shifts.items()}
    np.testing.assert_allclose(factors[0.0], [1, 1, 1])
    np.testing.assert_allclose(factors[0.5], [0.5**-0.5, 2**-0.5, 8**-0.5], rtol=1e-6)  # float32
    np.testing.assert_allclose(factors[1.0], [2, 0.5, 0.125], rtol=1e-6)


def test_a_class_without_a_pixel_comes_forward_no_more_than_the_rarest_one() -> None:
    shift_K = list_shifts(np.array([0, 1, 4], np.float32), class_count=3)[1.0]
    assert shift_K[0] == shift_K[2] < shift_K[1]


def test_without_weights_there_is_nothing_to_take_out() -> None:
    for weights_K in (None, np.zeros(3, np.float32)):
        ((adjustment, shift_K),) = list_shifts(weights_K, class_count=3).items()
        assert adjustment == 0
        np.testing.assert_array_equal(shift_K, [0, 0, 0])
