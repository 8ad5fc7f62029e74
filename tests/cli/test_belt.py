from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from atrous.cli.belt import read_ahead, read_newest, write_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 10


def test_reading_ahead_loses_nothing_and_keeps_the_order() -> None:
    assert list(read_ahead(range(1000), 3)) == list(range(1000))


def test_reading_ahead_goes_no_further_than_told() -> None:
    drawn: list[int] = []

    def draw() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    items = read_ahead(draw(), 3)
    for number in items:
        # That one, three waiting, and one in the hand of the reader.
        assert len(drawn) <= number + 5
    assert len(drawn) == 100


def test_of_what_comes_too_quickly_the_newest_is_kept() -> None:
    has_all_come = threading.Event()

    def show() -> Iterator[int]:
        yield from range(100)
        has_all_come.set()

    items = read_newest(show(), 1)
    first = next(items)
    assert has_all_come.wait(WAIT_S)
    assert [first, *items] in ([first, 99], [99])


def test_what_the_source_raises_is_raised_after_its_items() -> None:
    def draw() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    seen: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        seen.extend(read_ahead(draw(), 5))
    assert seen == [1, 2]


def test_a_source_that_nobody_reads_any_more_is_closed() -> None:
    closed = threading.Event()

    def draw() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    items = read_ahead(draw(), 2)
    next(items)
    items.close()
    assert closed.wait(WAIT_S)


def test_all_is_written_before_the_block_ends() -> None:
    written: list[int] = []
    with write_behind(written.append, 2) as hand_over:
        for number in range(100):
            hand_over(number)
    assert written == list(range(100))


def test_all_that_was_handed_over_is_written_when_the_block_is_left_in_haste() -> None:
    written: list[int] = []

    def work() -> None:
        with write_behind(written.append, 5) as hand_over:
            for number in range(3):
                hand_over(number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert written == [0, 1, 2]


def test_a_writer_that_fails_ends_the_work() -> None:
    def write(number: int) -> None:
        if number == 3:
            raise OSError("no space")

    def work() -> None:
        with write_behind(write, 1) as hand_over:
            for number in range(1_000_000):
                hand_over(number)

    with pytest.raises(OSError, match="no space"):
        work()
