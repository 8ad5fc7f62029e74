"""Work on many pictures at once, in order and with flat memory."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

MAX_THREADS = 16  # beyond that the disk or the interpreter lock is what one waits for
AHEAD_PER_THREAD = 2

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Task], Result], tasks: Iterable[Task], threads: int | None = None
) -> Generator[Result]:
    """Results in the order of the tasks; OpenCV, Pillow and NumPy let threads run side by side.

    At most two results a thread exist at a time. Closing the generator drops what has not begun.
    """
    threads = threads or min(MAX_THREADS, _usable_cores())
    remaining = iter(tasks)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="atrous-pictures")
    try:
        ahead = deque[Future[Result]]()
        ahead.extend(pool.submit(function, task) for task in islice(remaining, threads * AHEAD_PER_THREAD))
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(pool.submit(function, task) for task in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _usable_cores() -> int:
    # Containers are often given fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
