"""Two workers that do nothing, kept by a process of their own; started by tests/server/test_workers.py."""

from __future__ import annotations

import logging
import signal
import socket
import sys

from atrous.server.workers import run_workers

MIN_LIFE_S = 0.3


def idle(listener: socket.socket) -> None:
    signal.pause()


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        was_asked = run_workers(2, idle, listener, min_life_s=MIN_LIFE_S)
    sys.exit(0 if was_asked else 1)


if __name__ == "__main__":
    main()
