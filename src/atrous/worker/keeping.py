"""A process that is kept running beside this one and ends with it."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

logger = logging.getLogger(__name__)

POLL_S = 0.2
LONGEST_PAUSE_S = 60
# A worker gives its jobs a time for a checkpoint before it ends.
END_S = 12


@contextmanager
def keep_running(command: Sequence[str]) -> Generator[None]:
    """Run a command meanwhile, again whenever it ends, later each time if it ends soon.

    It gets SIGTERM at the end. By the end of its standard input it is to know that this process died, however it did.
    """
    keeper = _Keeper(command)
    keeper.start()
    try:
        yield
    finally:
        keeper.end()


class _Keeper(threading.Thread):
    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._command = command
        self._ending = threading.Event()

    def end(self) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
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
            logger.error("worker not started: %s", error)  # noqa: TRY400 - the machine is full
            return
        with process:
            while process.poll() is None and not self._ending.wait(POLL_S):
                pass
            if self._ending.is_set():
                _end(process)
            else:
                logger.error("worker died: %s", process.pid, extra={"exit_code": process.returncode})


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
