"""Connections to deployments, kept between requests."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from atrous.server.deployment_connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_TIMEOUT_S = 3.0
# Deployments hang up after 5 seconds of silence; a request that is just being sent then would be lost.
IDLE_S = 3.0
MAX_IDLE = 64


# Since when each has been idle, the newest last.
_ByAddress = defaultdict[str, deque[tuple[float, Connection]]]


class UnreachableError(ConnectionError):
    """Nobody is there; nothing was sent."""


class Connections:
    """Idle connections by address. Those of an event loop are its own, so an app may be used from several."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _ByAddress] = WeakKeyDictionary()

    async def take(self, address: str) -> Connection:
        """A connection that is free, to be kept again or aborted.

        Args:
            address: such as `http://127.0.0.1:40123`.

        Raises:
            UnreachableError: if there is none to be had.
        """
        idle = self._idle[address]
        while idle:
            since_s, connection = idle.pop()
            if connection.is_free and self._now_s() - since_s < IDLE_S:
                return connection
            connection.abort()
        try:
            return await _connect(address)
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{address}: {error}") from error

    def keep(self, address: str, connection: Connection) -> None:
        """Keep a connection for the next request, if it can take one."""
        if not connection.is_free:
            connection.abort()
            return
        self._idle[address].append((self._now_s(), connection))
        self._hang_up_the_old()

    def close(self) -> None:
        """Hang up on all deployments that were asked from this event loop."""
        for idle in self._idle.values():
            for _, connection in idle:
                connection.abort()
        self._idle.clear()

    @property
    def _idle(self) -> _ByAddress:
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            self._of_loops[loop] = defaultdict(deque)
        return self._of_loops[loop]

    def _hang_up_the_old(self) -> None:
        by_address = self._idle
        oldest_s = self._now_s() - IDLE_S
        for address in tuple(by_address):
            idle = by_address[address]
            while idle and (idle[0][0] < oldest_s or len(idle) > MAX_IDLE):
                idle.popleft()[1].abort()
            if not idle:
                del by_address[address]


async def _connect(address: str) -> Connection:
    parts = urlsplit(address)
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, parts.hostname or "", parts.port or 80
        )
    return connection
