"""A bounded number of threads for decoding, predicting and encoding."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from atrous.core.errors import UnavailableError
from atrous.server.fair_queue import FairQueue
from atrous.server.notes import current_notes
from atrous.server.pixel_budget import PixelBudget
from atrous.server.turns import Turn, begin_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

# Of the last piece of work in the mean time of all.
NEWEST_SHARE = 0.2
MAX_RETRY_AFTER_S = 30


class Slots:
    """Runs heavy work off the event loop, so many at a time and so many waiting.

    First come first served among works of one key, in rotation between keys. Belongs to no event loop, so an app may
    be used from several. Work that nobody waits for any more, or that cannot be done before its caller stops waiting,
    is never begun; work that has begun keeps its slot until it ends, and may ask `check_wanted` whether to go on.

    Args:
        count: works at a time.
        max_waiting: works that may wait for a slot.
        max_pixels: pixels of the pictures in work, all together.
    """

    def __init__(self, count: int, *, max_waiting: int, max_pixels: int = sys.maxsize) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="predict")
        self._lock = Lock()
        self._free = count
        self._count = count
        self._queue = FairQueue(max_waiting)
        self._budget = PixelBudget(max_pixels)
        self._mean_s = 0.0

    @property
    def busy(self) -> int:
        """How many slots are at work."""
        return self._count - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._queue)

    @property
    def pixels(self) -> int:
        """Pixels of the pictures in work."""
        return self._budget.used

    @property
    def retry_after_s(self) -> int:
        """Whole seconds after which a caller who is refused now would find those done who wait now; at least 1."""
        drained_s = self._mean_s * len(self._queue) / self._count
        return min(max(math.ceil(drained_s), 1), MAX_RETRY_AFTER_S)

    async def run(self, work: Callable[[], T], key: Hashable = None) -> T:
        """Give what `work` returns.

        Args:
            work: called once, in a thread of its own.
            key: works of one key get their turns in order; such as the model that they need.

        Raises:
            UnavailableError: if too many wait already, or the caller would have left before the answer.
        """
        notes = current_notes()
        turn = Turn(key, self._budget)
        if notes is not None:
            turn.answer_by_s = notes.answer_by_s
        await self._wait_for(turn)
        if notes is not None:
            notes.has_predicted = True
        # Nothing queues in the executor: there are as many threads as slots.
        future = self._threads.submit(copy_context().run, _work, turn, work)
        started_s = time.monotonic()
        future.add_done_callback(lambda _: self._end(time.monotonic() - started_s))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            turn.is_wanted = False
            raise

    async def _wait_for(self, turn: Turn) -> None:
        if self._take_free(turn):
            return
        try:
            await asyncio.wrap_future(turn.given)
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def _take_free(self, turn: Turn) -> bool:
        """Take a free slot (True), or a place in the queue."""
        with self._lock:
            if self._free:
                self._free -= 1
                self._queue.note_served(turn.key)
                return True
            refused = self._queue.add(turn)
        if refused is turn:
            raise _queue_is_full()
        if refused is not None:
            _refuse(refused, _queue_is_full())
        return False

    def _leave(self, turn: Turn) -> None:
        with self._lock:
            is_queued = self._queue.remove(turn)
        if not is_queued and turn.has_slot:
            # It was given to it in the meantime.
            self._pass_on()

    def _end(self, elapsed_s: float) -> None:
        with self._lock:
            self._mean_s += (elapsed_s - self._mean_s) * (NEWEST_SHARE if self._mean_s else 1)
        self._pass_on()

    def _pass_on(self) -> None:
        """Give a slot that became free to the next in the queue who can still be answered in time."""
        late: list[Turn] = []
        with self._lock:
            soonest_s = time.monotonic() + self._mean_s
            while (turn := self._queue.take()) is not None and turn.answer_by_s < soonest_s:
                late.append(turn)
            if turn is None:
                self._free += 1
            else:
                turn.has_slot = True
        for one in late:
            _refuse(one, _too_late())
        if turn is not None and turn.given.set_running_or_notify_cancel():
            turn.given.set_result(None)


def _work(turn: Turn, work: Callable[[], T]) -> T:
    begin_turn(turn)
    try:
        turn.check()
        return work()
    finally:
        turn.let_go()


def _refuse(turn: Turn, error: UnavailableError) -> None:
    if turn.given.set_running_or_notify_cancel():
        turn.given.set_exception(error)


def _queue_is_full() -> UnavailableError:
    return UnavailableError(
        "the server is busy and its queue is full; send the request again in a moment, or raise max_waiting of the "
        "server"
    )


def _too_late() -> UnavailableError:
    return UnavailableError(
        "the server is busy and could not have answered in time; send the request again later, or raise "
        "request_timeout_s of the server"
    )
