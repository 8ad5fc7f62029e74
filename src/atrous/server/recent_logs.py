"""The last lines of the log, held in memory for `/logs`."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from typing import Any

from atrous.server.redaction import redact


class RecentLogs(logging.Handler):
    """A log handler that keeps the last records, keys masked. Safe to use from several threads."""

    def __init__(self, capacity: int = 1000) -> None:
        super().__init__()
        self._records: deque[tuple[datetime, int, dict[str, Any]]] = deque(maxlen=capacity)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record in the form in which it is listed."""
        moment = datetime.fromtimestamp(record.created, UTC)
        kept = {
            "timestamp": moment.isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "module": record.module,
            "line": record.lineno,
        }
        self._records.append((moment, record.levelno, kept))

    def list(
        self, *, limit: int = 100, level: str | None = None, since: datetime | None = None
    ) -> list[dict[str, Any]]:
        """The newest records, oldest first.

        Args:
            limit: how many at most.
            level: name of the lowest level, in any case; an unknown name lets everything pass.
            since: leave out what is not later; with its time zone.
        """
        least = logging.getLevelNamesMapping().get((level or "").upper(), logging.NOTSET)
        found = [
            kept
            for moment, levelno, kept in tuple(self._records)
            if levelno >= least and (since is None or moment > since)
        ]
        return found[-limit:] if limit > 0 else []
