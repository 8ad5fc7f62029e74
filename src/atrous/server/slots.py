"""A bounded number of threads for decoding, predicting and encoding."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, TypeVar

from atrous.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Slots:
    """Runs heavy work off the event loop, so many at a time and so many waiting.

    Belongs to no event loop, so an app may be used from several.
    """

    def __init__(self, count: int, *, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="predict")
        self._places = BoundedSemaphore(count + max_waiting)

    async def run(self, work: Callable[[], T]) -> T:
        """Give what `work` returns.

        Raises:
            UnavailableError: if too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise UnavailableError("the server is busy and its queue is full; send the request again in a moment")
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
