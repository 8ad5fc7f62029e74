from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.server.idle_workers import MIN_LIFE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
LONG_S = 20


@contextmanager
def keep_workers() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-u", "-m", "tests.server.idle_workers"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as keeper:
        try:
            yield keeper
        finally:
            keeper.terminate()


def read_pid(keeper: subprocess.Popen[str], event: str) -> int:
    """The process that the keeper's next line is about."""
    assert keeper.stdout
    said, _, pid = keeper.stdout.readline().strip().rpartition(": ")
    assert said == event
    return int(pid)


def test_a_worker_that_dies_is_replaced() -> None:
    with keep_workers() as keeper:
        first, second = (read_pid(keeper, "worker started") for _ in range(2))
        time.sleep(2 * MIN_LIFE_S)
        os.kill(first, signal.SIGKILL)
        assert read_pid(keeper, "worker died") == first
        assert read_pid(keeper, "worker started") not in {first, second}
        keeper.terminate()
        assert keeper.wait(timeout=LONG_S) == 0
