"""Times by name, and what is said of many of them."""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


class Watch:
    """Milliseconds by name, one for each round."""

    def __init__(self) -> None:
        self._times_ms: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, name: str) -> Generator[None]:
        """Add the time of the block."""
        started_s = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - started_s)

    def add(self, name: str, seconds: float) -> None:
        """Add a time that was taken elsewhere."""
        self._times_ms[name].append(1000 * seconds)

    def median_ms(self, name: str) -> float:
        """The median of what was timed under a name."""
        return statistics.median(self._times_ms[name])


def find_percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed; one that was measured, never between.

    Args:
        values: at least one, in any order.
        percent: above 0, up to 100.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def find_slope(points: Sequence[tuple[float, float]]) -> float:
    """How much y grows for each 1 of x, by least squares; 0 where x does not vary."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
