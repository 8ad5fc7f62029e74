"""When a process that died is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atrous.worker.deployments.pace import Pace


class Backoff:
    """A second after the first death, twice as long after each one that follows; from the start after a long life."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._pause_s = 0.0
        self._until_s = 0.0

    def note_death(self, now_s: float, lived_s: float) -> None:
        """A process died after so long a life."""
        is_first = not self._pause_s or lived_s >= self._pace.steady_s
        self._pause_s = 1.0 if is_first else min(2 * self._pause_s, self._pace.longest_pause_s)
        self._until_s = now_s + self._pause_s

    def forget(self) -> None:
        """Begin anew, as somebody ordered something else."""
        self._pause_s = self._until_s = 0.0

    def is_over(self, now_s: float) -> bool:
        """Whether the next one may be started."""
        return now_s >= self._until_s
