"""The process of one job, from the outside."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any

from atrous.worker.messages import Ask, Done, Failed, Hold, Outcome, Progress, Stopped, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from atrous.workspace.records import Wish


class JobProcess:
    """A process that does one task, and all processes that it starts.

    Attributes:
        progress: what it told last.
        outcome: how it ended; None while it runs, and if it died.
    """

    def __init__(self, task: Task, hold: Hold) -> None:
        self.progress: Mapping[str, Any] | None = None
        self.outcome: Outcome | None = None
        self._end = ""
        self._connection, theirs = Pipe()
        # A fresh interpreter, as one that is forked would share the worker's threads and database connections, and a
        # session of its own, so that all that the job starts can be ended with it, and Ctrl-C does not reach it.
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
                [sys.executable, "-P", "-m", "atrous.worker.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        with suppress(OSError):
            self._connection.send(sys.path)
            self._connection.send_bytes(pickle.dumps(task))
            self._connection.send(hold)

    @property
    def connection(self) -> Connection[Any, Any]:
        """What becomes readable as soon as there is something to `read`."""
        return self._connection

    def read(self) -> bool:
        """Take in what was told; False if nothing more will come."""
        # Asked first, so that nothing is missed that it told before it died.
        is_dead = self._process.poll() is not None
        try:
            while self._connection.poll():
                match self._connection.recv():
                    case Progress(progress):
                        self.progress = progress
                    case Done() | Failed() | Stopped() as outcome:
                        self.outcome = outcome
                    case other:
                        raise TypeError(other)
        except (EOFError, OSError):
            return False
        return not is_dead

    def hold(self, hold: Hold) -> None:
        """Let it go on for longer."""
        self._send(hold)

    def ask(self, wish: Wish) -> None:
        """Say what is wanted of it."""
        self._send(Ask(wish))

    def end(self) -> str:
        """End it at once, with all that it started; say how it ended, which is its own doing if it had before."""
        # Once only: after the first time its number may be another process's.
        if not self._end:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            code = self._process.wait()
            self._connection.close()
            self._end = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return self._end

    def _send(self, message: Hold | Ask) -> None:
        # One that has died is found dead by `read`.
        with suppress(OSError):
            self._connection.send(message)
