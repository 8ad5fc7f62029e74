"""A process that is kept running beside this one and ends with it."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

logger = logging.getLogger(__name__)

POLL_S = 0.2
NEED_POLL_S = 1
LONGEST_PAUSE_S = 60
# A worker gives its jobs a time for a checkpoint before it ends.
END_S = 12


@contextmanager
def keep_running(
    command: Sequence[str], name: str = "worker", *, is_needed: Callable[[], bool] | None = None
) -> Generator[None]:
    """Run a command meanwhile, again whenever it ends, later each time if it ends soon.

    It gets SIGTERM at the end. By the end of its standard input it is to know that this process died, however it did.

    Args:
        command: what to run.
        name: what the log calls it.
        is_needed: asked once a second, in a thread; the command is not begun before it says so.
    """
    keeper = _Keeper(command, name, is_needed)
    keeper.start()
    try:
        yield
    finally:
        keeper.end()


class _Keeper(threading.Thread):
    def __init__(self, command: Sequence[str], name: str, is_needed: Callable[[], bool] | None) -> None:
        super().__init__(daemon=True)
        self._command = command
        self._name_in_log = name
        self._is_needed = is_needed
        self._ending = threading.Event()

    def end(self) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        while self._is_needed is not None and not self._is_needed():
            if self._ending.wait(NEED_POLL_S):
                return
        pause_s = 1.0
        while not self._ending.is_set():
            started_s = time.monotonic()
            self._run_once()
            lived_s = time.monotonic() - started_s
            pause_s = 1.0 if lived_s > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
            self._ending.wait(pause_s)

    def _run_once(self) -> None:
        try:
            # In a session of its own, so that Ctrl-C reaches this process alone, which then ends that one.
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
        except OSError as error:
            logger.error("%s not started: %s", self._name_in_log, error)  # noqa: TRY400 - the machine is full
            return
        with process:
            while process.poll() is None and not self._ending.wait(POLL_S):
                pass
            if self._ending.is_set():
                _end(process)
            else:
                extra = {"exit_code": process.returncode}
                logger.error("%s died: %s", self._name_in_log, process.pid, extra=extra)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
