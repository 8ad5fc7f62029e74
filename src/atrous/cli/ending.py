"""How a process that is kept by another one learns that the other one is gone."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def call_at_eof(act: Callable[[], None]) -> None:
    """Call `act`, in a thread, once standard input ends, as it does when whoever holds its other end dies."""

    def wait() -> None:
        # Not by `sys.stdin`: a thread that waits in there keeps the interpreter from ending.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        act()

    threading.Thread(target=wait, daemon=True).start()
