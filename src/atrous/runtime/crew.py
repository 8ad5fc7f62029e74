"""Threads that lend a hand to whoever has rows of a picture to work on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Crew:
    """Idle threads shared by all pictures in work; safe to use from several threads at once.

    Whoever shares work does all of it that no helper gets to, so a busy crew delays nobody.
    """

    def __init__(self, helpers: int) -> None:
        self._helpers = helpers
        self._threads = ThreadPoolExecutor(helpers, thread_name_prefix="strips") if helpers else None

    def share(self, parts: int, work: Callable[[int], None]) -> None:
        """Run `work(0)` to `work(parts - 1)`, in any order and at the same time, and return when all is done.

        What a part raises is raised here, after the parts in work have ended.
        """
        if self._threads is None or parts < 2:
            for part in range(parts):
                work(part)
            return
        # One step of an iterator written in C is atomic, so each number is taken once.
        numbers = count()

        def take_parts() -> None:
            while (part := next(numbers)) < parts:
                work(part)

        helping = [self._threads.submit(take_parts) for _ in range(min(self._helpers, parts - 1))]
        try:
            take_parts()
        finally:
            # Helpers that have not begun find nothing left to do.
            begun = [helper for helper in helping if not helper.cancel()]
            for helper in begun:
                helper.exception()
        for helper in begun:
            helper.result()


ALONE = Crew(0)
