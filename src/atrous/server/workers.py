"""Several processes that serve one port."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess
    from types import FrameType

logger = logging.getLogger(__name__)

POLL_S = 0.2
MIN_LIFE_S = 5.0


def run_workers(
    count: int, work: Callable[[socket.socket], None], listener: socket.socket, *, min_life_s: float = MIN_LIFE_S
) -> bool:
    """Run `work` in processes of their own until SIGTERM or SIGINT, replacing those that die.

    Args:
        count: how many processes.
        work: what each does with the listener until it gets SIGTERM; must be picklable.
        listener: the port they share; the kernel gives each connection to one of them.
        min_life_s: a worker that ends sooner would do so again.

    Returns:
        Whether it ended because it was asked to; not if workers died as soon as they were started.
    """
    workers = _Workers(work, listener, min_life_s)
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, workers.ask_to_end)
    return workers.keep(count)


class _Workers:
    def __init__(self, work: Callable[[socket.socket], None], listener: socket.socket, min_life_s: float) -> None:
        # Not forked: a child would share the parent's threads and database connections.
        self._context = multiprocessing.get_context("spawn")
        self._work = work
        self._listener = listener
        self._min_life_s = min_life_s
        self._running: list[tuple[SpawnProcess, float]] = []
        self._is_ending = False

    def ask_to_end(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame
        self._is_ending = True

    def keep(self, count: int) -> bool:
        is_good = True
        while not self._is_ending and is_good:
            while len(self._running) < count and not self._is_ending:
                self._start()
            time.sleep(POLL_S)
            is_good = all(self._bury(*worker) for worker in tuple(self._running))
        for worker, _ in self._running:
            worker.terminate()
        for worker, _ in self._running:
            worker.join()
        return is_good

    def _start(self) -> None:
        worker = self._context.Process(target=self._work, args=(self._listener,))
        worker.start()
        logger.info("worker started: %s", worker.pid, extra={"worker": worker.pid})
        self._running.append((worker, time.monotonic()))

    def _bury(self, worker: SpawnProcess, started_s: float) -> bool:
        """Forget a worker that has died; False if it did not live long enough to be replaced."""
        if worker.is_alive():
            return True
        self._running.remove((worker, started_s))
        is_good = self._is_ending or time.monotonic() - started_s >= self._min_life_s
        logger.error("worker died: %s", worker.pid, extra={"worker": worker.pid, "exit_code": worker.exitcode})
        return is_good
