"""Where deployments are, as it was told at most a second ago."""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from atrous.workspace.deployment import Deployment

FRESH_S = 1.0
LOOKING_AT_A_TIME = 4
# Of names, most of them of nothing: anybody may make them up.
MAX_NAMES = 1000
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class DeploymentDirectory:
    """Deployments by name. However many requests ask at a time, the store is asked once a second for each name.

    Belongs to no event loop, so an app may be used from several.

    Args:
        look_up: asks the store; gives None where there is none.
        now_s: seconds that only grow.
    """

    def __init__(
        self, look_up: Callable[[str], Deployment | None], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up
        self._now_s = now_s
        self._threads = ThreadPoolExecutor(LOOKING_AT_A_TIME, thread_name_prefix="deployments")
        self._seen: dict[str, tuple[float, Future[Deployment | None]]] = {}

    async def find(self, name: str) -> Deployment | None:
        """The deployment of a name; None if there is none."""
        if not NAME.fullmatch(name):
            return None
        looked_s, found = self._seen.get(name) or self._look(name)
        if self._now_s() - looked_s >= FRESH_S:
            _, found = self._look(name)
        return await _wait_for(found)

    async def find_other_than(self, deployment: Deployment) -> Deployment | None:
        """What is there in place of a deployment that was found to be over; the same if the store knows no better."""
        _, found = self._seen.get(deployment.name) or self._look(deployment.name)
        if found.done() and (found.exception() is not None or found.result() == deployment):
            _, found = self._look(deployment.name)
        return await _wait_for(found)

    def _look(self, name: str) -> tuple[float, Future[Deployment | None]]:
        if len(self._seen) >= MAX_NAMES:
            self._seen.clear()
        look = self._now_s(), self._threads.submit(self._look_up, name)
        self._seen[name] = look
        return look


async def _wait_for(found: Future[Deployment | None]) -> Deployment | None:
    # Shielded, as others wait for the same look.
    return found.result() if found.done() else await asyncio.shield(asyncio.wrap_future(found))
