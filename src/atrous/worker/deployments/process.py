"""The server of one deployment, from the outside."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.worker.deployments.ended import Ended
from atrous.worker.deployments.log_lines import read_lines
from atrous.worker.deployments.probe import answers_well

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from atrous.worker.deployments.launch import Launch
    from atrous.worker.deployments.log_lines import LogLines
    from atrous.worker.deployments.pace import Pace

READINESS, HEALTH = "/readiness", "/healthz"
MISSES = 3
ADDRESS_BYTES = 1024
READ_S = 2


class ServerProcess:
    """A process that serves, and two threads that listen to it: one to its log, one to its health.

    It drains and ends when its standard input ends, so it does not outlive whoever started it.

    Attributes:
        address: where it answers; empty until it said so.
        is_ready: whether it was ready once.
        is_hung: whether it lives and answers no more.
    """

    def __init__(self, launch: Launch, lines: LogLines, pace: Pace, wake: Callable[[], None]) -> None:
        self.address = ""
        self.is_ready = False
        self.is_hung = False
        self._memory_bytes = launch.memory_bytes
        self._lines = lines
        self._pace = pace
        self._wake = wake
        self._last_line = ""
        self._probe_id = str(uuid.uuid4())
        self._is_gone = threading.Event()
        ours, theirs = os.pipe()
        try:
            self._process = _start(launch, theirs)
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        threading.Thread(target=self._watch, args=(ours,), daemon=True).start()

    @property
    def ended(self) -> Ended | None:
        """How it ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._is_gone.set()
        # Its last words may still be in the pipe.
        self._reader.join(READ_S)
        return Ended(code, self._last_line)

    @property
    def excess_bytes(self) -> int:
        """Memory that it takes over what it may; 0 if it keeps to that, or the system does not tell."""
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return 0
        return max(0, pages * os.sysconf("SC_PAGE_SIZE") - self._memory_bytes)

    def ask_to_end(self) -> None:
        """Have it finish what it began, refuse what is new, and end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, sig: signal.Signals) -> None:
        # Its number may be another process's once it was waited for.
        with suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, sig)

    def _read_log(self) -> None:
        with self._process:
            for line in read_lines(self._process.stdout) if self._process.stdout else ():
                # What a server says of our own questions is of no use to anybody.
                if self._probe_id not in line:
                    self._last_line = line
                    self._lines.add(line)
        self._is_gone.set()
        self._wake()

    def _watch(self, address_fd: int) -> None:
        with open(address_fd, "rb") as pipe:
            self.address = pipe.readline(ADDRESS_BYTES).decode().strip()
        if not self.address:
            return
        while not self._answers(READINESS):
            if self._is_gone.wait(self._pace.probe_s):
                return
        self.is_ready = True
        self._wake()
        misses = 0
        while not self._is_gone.wait(self._pace.health_s):
            misses = 0 if self._answers(HEALTH) else misses + 1
            self.is_hung = misses >= MISSES

    def _answers(self, path: str) -> bool:
        return answers_well(self.address, path, self._probe_id, self._pace.answer_s)


def _start(launch: Launch, address_fd: int) -> subprocess.Popen[bytes]:
    with _on_cores(launch.cores):
        return subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
            [*launch.command, str(address_fd)],
            pass_fds=[address_fd],
            env={**os.environ, **launch.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def _on_cores(cores: Sequence[int]) -> Generator[None]:
    """Have what the calling thread starts meanwhile keep to some cores, by which all libraries count their threads."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
