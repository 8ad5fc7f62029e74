"""What a deployment logged since it was last written down."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from typing import IO, TYPE_CHECKING

from atrous.workspace.deployment import LogEntry

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from atrous.workspace.ports import Clock

MAX_LINES = 1000
MAX_LINE_BYTES = 16_384
SUFFIX_BYTES = 3


def read_lines(pipe: IO[bytes]) -> Generator[str]:
    """All lines that are not empty, until the pipe ends; one that is too long becomes several."""
    with pipe:
        while line := pipe.readline(MAX_LINE_BYTES):
            # PostgreSQL keeps no text with NUL in it.
            if text := line.decode(errors="replace").replace("\0", "").rstrip():
                yield text


class LogLines:
    """The newest lines, at most a thousand; what is too much is counted. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[LogEntry] = deque()
        self._dropped = 0
        self._newest_us = 0
        # Two hosts may log the same microsecond.
        self._suffix = secrets.token_hex(SUFFIX_BYTES)

    def add(self, text: str) -> None:
        """A line more."""
        with self._lock:
            if len(self._entries) >= MAX_LINES:
                self._entries.popleft()
                self._dropped += 1
            self._entries.append(self._make(text))

    def take(self) -> list[LogEntry]:
        """All that came since, oldest first; the caller has them now."""
        with self._lock:
            dropped, taken = self._dropped, list(self._entries)
            self._entries.clear()
            self._dropped = 0
            return (
                [*taken, self._make(f"lines that were dropped here, as they came too fast: {dropped}")]
                if dropped
                else taken
            )

    def put_back(self, entries: Sequence[LogEntry]) -> None:
        """What was taken could not be written down."""
        with self._lock:
            room = MAX_LINES - len(self._entries)
            self._dropped += max(0, len(entries) - room)
            self._entries.extendleft(reversed(entries[max(0, len(entries) - room) :]))

    def _make(self, text: str) -> LogEntry:
        now = self._clock.now()
        # Clocks are set back at times; lines are not.
        self._newest_us = max(self._newest_us + 1, int(now.timestamp() * 1e6))
        return LogEntry(f"{self._newest_us:018d}-{self._suffix}", now, text)
