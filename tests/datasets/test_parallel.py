from __future__ import annotations

import time
from contextlib import closing
from threading import Lock

import pytest

from atrous.datasets.parallel import map_in_threads


def test_results_come_in_the_order_of_the_tasks() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.01 if number % 4 == 0 else 0)
        return number * 2

    assert list(map_in_threads(slow_first, range(20), threads=4)) == [2 * number for number in range(20)]


def test_only_a_few_results_wait_at_a_time() -> None:
    begun: list[int] = []
    results = map_in_threads(begun.append, range(1000), threads=2)
    with closing(results):
        next(results)
        time.sleep(0.02)
        assert len(begun) <= 2 * 2 + 1


def test_error_of_a_task_ends_the_work() -> None:
    lock, begun = Lock(), []

    def fail_at_5(number: int) -> int:
        with lock:
            begun.append(number)
        return 1 // (5 - number)

    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(fail_at_5, range(1000), threads=2))
    assert len(begun) < 20


def test_no_tasks_give_no_results() -> None:
    assert list(map_in_threads(str, [])) == []
