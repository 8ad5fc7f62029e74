"""Who gets a slot, when, and who gets none: with slow work that ends when a test says so."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from atrous.core.errors import UnavailableError
from atrous.server.fair_queue import MAX_IDLE_KEYS, FairQueue
from atrous.server.notes import Notes, taking_notes
from atrous.server.pixel_budget import PixelBudget
from atrous.server.slots import Slots
from atrous.server.turns import Turn, check_wanted, hold_pixels

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Far more than any step takes: only a hanging test waits so long.
LONG_S = 20


@dataclass
class Crowd:
    """Works of several keys on slots whose first one is taken until `open`; `order` tells when each was done."""

    slots: Slots
    gate: Event = field(default_factory=Event)
    order: list[str] = field(default_factory=list[str])
    asked: dict[str, asyncio.Task[Any]] = field(default_factory=dict[str, asyncio.Task[Any]])

    async def block(self, key: str = "") -> None:
        self.blocker = asyncio.create_task(self.slots.run(lambda: self.gate.wait(LONG_S), key))
        await settle()

    async def ask(self, *names: str) -> None:
        """Queue works, each under its name's first letter."""
        for name in names:
            self.asked[name] = asyncio.create_task(self.slots.run(lambda name=name: self.order.append(name), name[0]))
            await settle()

    async def open(self) -> None:
        self.gate.set()
        await asyncio.wait_for(asyncio.gather(self.blocker, *self.asked.values(), return_exceptions=True), LONG_S)

    @property
    def refused(self) -> list[str]:
        return [name for name, task in self.asked.items() if task.done() and task.exception()]


async def settle() -> None:
    """Let every task go as far as it can without a thread."""
    for _ in range(5):
        await asyncio.sleep(0)


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not fact():
            await asyncio.sleep(0.001)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene()

    asyncio.run(run())


def test_a_flood_for_one_model_holds_up_another_by_one_turn_at_most() -> None:
    crowd = Crowd(Slots(1, max_waiting=100))

    async def scene() -> None:
        await crowd.block("a")
        await crowd.ask("a1", "a2", "a3", "a4", "b1", "b2", "c1")
        await crowd.open()

    play(scene)
    assert crowd.order == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_a_model_that_was_just_served_comes_after_one_that_waits_longer() -> None:
    """A lone caller who asks again as soon as he is answered does not push a flood aside, nor it him."""
    slots = Slots(1, max_waiting=100)
    order: list[str] = []

    async def loop(name: str, times: int) -> None:
        for _ in range(times):
            await slots.run(lambda: order.append(name), name)

    async def scene() -> None:
        gate = Event()
        blocker = asyncio.create_task(slots.run(lambda: gate.wait(LONG_S), "z"))
        await settle()
        flood = [asyncio.create_task(loop("a", 10)) for _ in range(3)]
        lone = asyncio.create_task(loop("b", 10))
        await settle()
        gate.set()
        await asyncio.gather(blocker, lone)
        served_meanwhile = order.count("a")
        await asyncio.gather(*flood)
        assert served_meanwhile <= 21

    play(scene)
    assert (order.count("a"), order.count("b")) == (30, 10)


def test_in_a_full_queue_the_longest_gives_up_its_newest_place_to_a_model_that_has_none() -> None:
    crowd = Crowd(Slots(1, max_waiting=3))

    async def scene() -> None:
        await crowd.block()
        await crowd.ask("a1", "a2", "a3")
        await crowd.ask("a4")
        assert crowd.refused == ["a4"]
        await crowd.ask("b1")
        assert crowd.refused == ["a3", "a4"]
        # One each and one left over: nobody has more than his share to give up.
        await crowd.ask("b2")
        assert crowd.refused == ["a3", "a4", "b2"]
        assert crowd.slots.waiting == 3
        await crowd.open()

    play(scene)
    assert sorted(crowd.order) == ["a1", "a2", "b1"]
    assert (crowd.slots.busy, crowd.slots.waiting) == (0, 0)


def test_work_whose_caller_would_be_gone_before_its_end_is_not_begun() -> None:
    slots, done = Slots(1, max_waiting=10), []

    async def ask(seconds: float) -> None:
        notes = Notes("id")
        notes.answer_by_s = time.monotonic() + seconds
        with taking_notes(notes):
            await slots.run(lambda: done.append(seconds), "a")

    async def scene() -> None:
        # What work takes is known from the first piece of it.
        await slots.run(lambda: time.sleep(0.05), "a")
        gate = Event()
        blocker = asyncio.create_task(slots.run(lambda: gate.wait(LONG_S), "a"))
        await settle()
        hasty, patient = asyncio.create_task(ask(0.001)), asyncio.create_task(ask(LONG_S))
        await settle()
        gate.set()
        with pytest.raises(UnavailableError, match="request_timeout_s"):
            await hasty
        await asyncio.gather(blocker, patient)

    play(scene)
    assert done == [LONG_S]


def test_work_that_has_begun_is_told_that_its_caller_has_left() -> None:
    slots = Slots(1, max_waiting=10)
    begun, left, told = Event(), Event(), []

    def work() -> None:
        check_wanted()
        begun.set()
        assert left.wait(LONG_S)
        try:
            check_wanted()
        except UnavailableError:
            told.append(True)

    async def scene() -> None:
        task = asyncio.create_task(slots.run(work))
        await until(begun.is_set)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        left.set()
        await until(lambda: slots.busy == 0)

    play(scene)
    assert told == [True]


def test_the_time_to_retry_grows_with_the_queue_and_what_work_takes() -> None:
    crowd = Crowd(Slots(1, max_waiting=10))

    async def scene() -> None:
        assert crowd.slots.retry_after_s == 1
        await crowd.slots.run(lambda: time.sleep(0.3))
        await crowd.block()
        assert crowd.slots.retry_after_s == 1
        await crowd.ask("a1", "a2", "a3", "a4", "a5", "a6")
        assert crowd.slots.retry_after_s in {2, 3, 4}
        await crowd.open()

    play(scene)


def test_pictures_that_do_not_fit_in_together_are_worked_on_one_after_the_other() -> None:
    slots = Slots(4, max_waiting=10, max_pixels=100)
    most: list[int] = []

    def work() -> None:
        hold_pixels(60)
        most.append(slots.pixels)
        # The next picture of the same request takes the place of the last.
        hold_pixels(40)
        most.append(slots.pixels)

    async def scene() -> None:
        await asyncio.gather(*(slots.run(work) for _ in range(12)))

    play(scene)
    assert len(most) == 24
    assert max(most) <= 100
    assert slots.pixels == 0


def test_a_picture_over_the_budget_is_worked_on_alone() -> None:
    slots = Slots(2, max_waiting=10, max_pixels=100)
    seen: list[int] = []

    def work() -> None:
        hold_pixels(500)
        seen.append(slots.pixels)

    async def scene() -> None:
        await asyncio.gather(slots.run(work), slots.run(work))

    play(scene)
    assert seen == [500, 500]


def test_work_that_fails_gives_its_pixels_back() -> None:
    slots = Slots(1, max_waiting=10, max_pixels=100)

    def work() -> None:
        hold_pixels(60)
        raise ValueError("a bug")

    async def scene() -> None:
        with pytest.raises(ValueError, match="a bug"):
            await slots.run(work)

    play(scene)
    assert slots.pixels == 0


def test_keys_that_nobody_waits_for_are_forgotten_in_the_end() -> None:
    queue, budget = FairQueue(10), PixelBudget(1)
    queue.add(Turn("kept", budget))
    for number in range(3 * MAX_IDLE_KEYS):
        queue.note_served(number)
    assert len(queue._lanes) <= MAX_IDLE_KEYS + 1
    taken = queue.take()
    assert taken is not None
    assert taken.key == "kept"
