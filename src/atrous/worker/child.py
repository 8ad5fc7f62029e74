"""The process of one job, from the inside: does the work, tells of it, and never outlives its worker's hold on it."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from atrous.core.errors import AtrousError, StoppedError
from atrous.worker.messages import Ask, Done, Failed, Hold, Outcome, Progress, Stopped, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.workspace.records import Wish

logger = logging.getLogger(__name__)

REPORT_S = 0.25
# A server on the same machine comes first.
NICENESS = 5


def main() -> None:
    """Do the task that comes through the pipe whose number is the first argument."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    os.nice(NICENESS)
    # A machine that shuts down sends it to all processes; this one is told by its worker, and may write a checkpoint.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.path[:] = connection.recv()
    packed, hold = connection.recv_bytes(), connection.recv()
    # Before the task is unpacked: that imports what it needs, which may take long enough for a worker to die.
    watch = PipeWatch(connection, hold)
    watch.end(_do(pickle.loads(packed), watch))  # noqa: S301 - from the worker that started this process


def _do(task: Task, watch: PipeWatch) -> Outcome:
    task.set_up()
    try:
        return Done(task.work(task.open_ports(), task.job, task.folder, watch))
    except StoppedError as error:
        return Stopped(str(error))
    except AtrousError as error:
        return Failed(str(error))
    except Exception as error:
        logger.exception("job broke", extra={"job": task.job.id, "kind": task.job.kind})
        return Failed(
            f"job {task.job.id}: broke off by a fault that is not yours ({type(error).__name__}); the worker's log "
            "says where"
        )


class PipeWatch:
    """Follows a job for the worker at the other end of a pipe, and ends the process once nobody holds it there."""

    def __init__(self, connection: Connection[Any, Any], hold: Hold) -> None:
        self._connection = connection
        self._until_s = hold.until_s
        self._wish: Wish | None = None
        self._latest: Mapping[str, Any] | None = None
        self._told_s = 0.0
        # Works report from threads of their own too.
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def report(self, progress: Mapping[str, Any]) -> None:
        """Tell how far the job is, a few times a second at most."""
        with self._lock:
            self._latest = progress
            if time.monotonic() - self._told_s >= REPORT_S:
                self._tell_latest()

    def wish(self) -> Wish | None:
        """What is wanted of the job by now."""
        return self._wish

    def end(self, outcome: Outcome) -> None:
        """Tell how the job ended."""
        with self._lock:
            self._tell_latest()
            self._connection.send(outcome)

    def _tell_latest(self) -> None:
        if self._latest is not None:
            self._connection.send(Progress(self._latest))
        self._latest, self._told_s = None, time.monotonic()

    def _listen(self) -> None:
        try:
            while self._connection.poll(max(0.0, self._until_s - time.monotonic())):
                match self._connection.recv():
                    case Hold(until_s):
                        self._until_s = until_s
                    case Ask(wish):
                        self._wish = wish
                    case other:
                        raise TypeError(other)
        except (EOFError, OSError):
            pass
        # The worker is dead, or has not been able to hold the job: another one may take it up now.
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
