"""How many pixels of pictures may be in work at a time."""

from __future__ import annotations

from collections import deque
from threading import Condition


class PixelBudget:
    """Pixels that all threads together have in work; who would exceed them waits, first come first served.

    A picture larger than the whole budget has it for itself. The first who waits lets nobody past, so that a stream of
    small pictures keeps no large one waiting for ever.
    """

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._used = 0
        self._queue: deque[object] = deque()
        self._changed = Condition()

    @property
    def used(self) -> int:
        """Pixels in work now."""
        return self._used

    def take(self, pixels: int) -> None:
        """Block until that many more fit in, and hold them."""
        place = object()
        with self._changed:
            self._queue.append(place)
            self._changed.wait_for(lambda: self._queue[0] is place and self._has_room(pixels))
            self._queue.popleft()
            self._used += pixels
            self._changed.notify_all()

    def give_back(self, pixels: int) -> None:
        """Hold that many less."""
        with self._changed:
            self._used -= pixels
            self._changed.notify_all()

    def _has_room(self, pixels: int) -> bool:
        return self._used == 0 or self._used + pixels <= self._max_pixels
