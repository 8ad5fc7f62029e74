"""A bounded number of threads for decoding, predicting and encoding."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from atrous.core.errors import UnavailableError
from atrous.server.notes import current_notes

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Slots:
    """Runs heavy work off the event loop, so many at a time and so many waiting, first come first served.

    Belongs to no event loop, so an app may be used from several. Work that nobody waits for any more is let go of at
    once, before it gets its turn; work that has begun keeps its slot until it ends.
    """

    def __init__(self, count: int, *, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="predict")
        self._max_waiting = max_waiting
        self._lock = Lock()
        self._free = count
        self._count = count
        self._waiting: deque[Future[None]] = deque()

    @property
    def busy(self) -> int:
        """How many slots are at work."""
        return self._count - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    async def run(self, work: Callable[[], T]) -> T:
        """Give what `work` returns.

        Raises:
            UnavailableError: if too many wait already.
        """
        turn = self._join()
        if turn is not None:
            try:
                await asyncio.wrap_future(turn)
            except asyncio.CancelledError:
                self._leave(turn)
                raise
        notes = current_notes()
        if notes is not None:
            notes.has_predicted = True
        # Nothing queues in the executor: there are as many threads as slots.
        future = self._threads.submit(copy_context().run, work)
        future.add_done_callback(lambda _: self._pass_on())
        return await asyncio.wrap_future(future)

    def _join(self) -> Future[None] | None:
        """Take a free slot (None), or a place in the queue."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if len(self._waiting) >= self._max_waiting:
                raise UnavailableError(
                    "the server is busy and its queue is full; send the request again in a moment, or raise "
                    "max_waiting of the server"
                )
            turn: Future[None] = Future()
            self._waiting.append(turn)
            return turn

    def _leave(self, turn: Future[None]) -> None:
        with self._lock:
            is_queued = turn in self._waiting
            if is_queued:
                self._waiting.remove(turn)
        if not is_queued:
            # The slot was given to it in the meantime.
            self._pass_on()

    def _pass_on(self) -> None:
        """Give a slot that became free to the next in the queue."""
        with self._lock:
            turn = self._waiting.popleft() if self._waiting else None
            if turn is None:
                self._free += 1
        if turn is not None and turn.set_running_or_notify_cancel():
            turn.set_result(None)
