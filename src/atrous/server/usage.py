"""What models are used for here: counted in memory, told to the store every few seconds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from anyio import to_thread

from atrous.core.errors import AtrousError
from atrous.workspace.deployment import UsageHour

if TYPE_CHECKING:
    from datetime import datetime

    from atrous.server.notes import Notes
    from atrous.workspace.ports import Clock, DeploymentStore

logger = logging.getLogger(__name__)

FLUSH_S = 5.0
LAST_FLUSH_S = 5.0
# Keys, models and hours are few; so many add up only while the store cannot be told.
MAX_PLACES = 20_000


@dataclass(frozen=True, slots=True)
class _Place:
    workspace: str
    model: str
    key_id: str
    hour: datetime


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    pictures: int = 0
    compute_s: float = 0.0


class Usage:
    """Sums by model, key and hour that the store was not told yet. Safe to use from several threads.

    While the store cannot be had they are kept and told later; a process that is killed loses those of its last
    seconds.

    Args:
        store: told.
        clock: the hour.
        deployment: name of the deployment that this server is; empty for the shared one.
        flush_s: between two times that the store is told.
        max_places: sums held at a time; what would need another one is not counted.
    """

    def __init__(
        self,
        store: DeploymentStore,
        clock: Clock,
        *,
        deployment: str = "",
        flush_s: float = FLUSH_S,
        max_places: int = MAX_PLACES,
    ) -> None:
        self._store = store
        self._clock = clock
        self._deployment = deployment
        self._flush_s = flush_s
        self._max_places = max_places
        self._lock = Lock()
        self._sums: dict[_Place, _Sum] = {}
        self._complaint = ""

    def count(self, notes: Notes) -> None:
        """Count a request that was answered with predictions."""
        if notes.model is None:
            return
        hour = self._clock.now().replace(minute=0, second=0, microsecond=0)
        place = _Place(notes.model.workspace, notes.model_id, notes.key_id or "", hour)
        self._add(place, _Sum(1, notes.pictures, notes.compute_s))

    def flush(self) -> None:
        """Tell the store all sums; what it does not take is kept for the next time. Not for the event loop."""
        with self._lock:
            sums, self._sums = self._sums, {}
        if not sums:
            return
        try:
            self._store.add_usage([self._describe(place, found) for place, found in sums.items()])
        except AtrousError as error:
            for place, found in sums.items():
                self._add(place, found)
            self._complain(str(error))
        else:
            self._complaint = ""

    async def keep_flushing(self) -> None:
        """Flush every few seconds, for ever."""
        while True:
            await asyncio.sleep(self._flush_s)
            await self._flush_in_thread()

    async def flush_last(self) -> None:
        """Flush at the end of the process, but do not hold it up for long."""
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                await self._flush_in_thread()
        except TimeoutError:
            self._complain("the store took too long")
        lost = len(self._sums)
        if lost:
            logger.error("usage lost: the store was not told %d sums", lost, extra={"sums": lost})

    async def _flush_in_thread(self) -> None:
        # Given up when the process ends, however long the store takes.
        await to_thread.run_sync(self.flush, abandon_on_cancel=True)

    def _add(self, place: _Place, more: _Sum) -> None:
        with self._lock:
            if place not in self._sums and len(self._sums) >= self._max_places:
                return
            found = self._sums.setdefault(place, _Sum())
            found.requests += more.requests
            found.pictures += more.pictures
            found.compute_s += more.compute_s

    def _describe(self, place: _Place, found: _Sum) -> UsageHour:
        return UsageHour(
            workspace=place.workspace,
            deployment=self._deployment,
            model=place.model,
            key_id=place.key_id,
            hour=place.hour,
            requests=found.requests,
            pictures=found.pictures,
            compute_s=found.compute_s,
        )

    def _complain(self, reason: str) -> None:
        """Once for each reason, as it comes again every few seconds."""
        if reason != self._complaint:
            logger.error("usage not written, is tried again: %s", reason)
        self._complaint = reason
