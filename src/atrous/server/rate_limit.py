"""How often a key may ask."""

from __future__ import annotations

import math
import time
from threading import Lock
from typing import TYPE_CHECKING

from atrous.core.errors import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60


class RateLimit:
    """A bucket of requests per key, full at first, refilled evenly over the minute. Safe to use from several threads.

    Held in memory: each worker process counts for itself.
    """

    def __init__(self, default_per_minute: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._default = default_per_minute
        self._now_s = now_s
        self._lock = Lock()
        # By key: requests left and the time they were counted at. Only valid keys get here, so it stays small.
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str, per_minute: int | None) -> None:
        """Count one request.

        Args:
            key_id: whose request.
            per_minute: the key's own rate; None takes the default, and a default of 0 is no limit.

        Raises:
            TooManyRequestsError: saying when to ask again.
        """
        rate = self._default if per_minute is None else per_minute
        if rate == 0:
            return
        now_s = self._now_s()
        with self._lock:
            left, counted_s = self._buckets.get(key_id, (rate, now_s))
            left = min(rate, left + (now_s - counted_s) * rate / SECONDS)
            if left >= 1:
                self._buckets[key_id] = (left - 1, now_s)
                return
        retry_after_s = math.ceil((1 - left) * SECONDS / rate)
        raise TooManyRequestsError(
            f"this key may ask {rate} times a minute; ask again in {retry_after_s} s, or raise requests_per_minute of "
            "the server or the key's own rate (`atrous key create --rate`)",
            retry_after_s,
        )
