from __future__ import annotations

import pytest
from benchmarks.times import Watch, find_percentile, find_slope


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (99.5, 100), (100, 100), (0.5, 1)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent: float, expected: int) -> None:
    assert find_percentile(list(range(100, 0, -1)), percent) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert find_percentile([7.0], 99) == 7.0


def test_a_slope_is_that_of_the_line_the_points_lie_about() -> None:
    assert find_slope([(0, 100), (1000, 102.5), (2000, 104.5), (3000, 107)]) == pytest.approx(0.0023, rel=0.02)
    assert find_slope([(5, 1), (5, 9)]) == 0.0


def test_a_watch_gives_the_median_of_its_rounds_in_milliseconds() -> None:
    watch = Watch()
    for seconds in (0.003, 0.9, 0.001):
        watch.add("pass", seconds)
    assert watch.median_ms("pass") == pytest.approx(3.0)
