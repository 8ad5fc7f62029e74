"""One connection to a deployment, spoken by h11 itself: through httpx a request takes twice the processor time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

# A reply that is not read lies in the kernel from here on, and so makes the deployment wait.
MAX_UNREAD_BYTES = 512 * 1024


class LostConnectionError(ConnectionError):
    """A deployment hung up, or spoke no HTTP, after it was sent a request."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time, its bodies part by part.

    Whoever stops in the middle of an exchange must abort the connection.
    """

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport
        self._is_lost = False
        self._unread_bytes = 0
        self._can_read = asyncio.Event()
        self._can_write = asyncio.Event()
        self._can_write.set()

    @property
    def is_free(self) -> bool:
        """Whether it can take a request."""
        is_silent = not self._is_lost and not self._unread_bytes and not self._transport.is_closing()
        return is_silent and self._http.our_state is h11.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called when it is open."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when it is not any more."""
        del exc
        self._is_lost = True
        self._can_read.set()
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """Called with what the deployment says."""
        self._http.receive_data(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self._transport.pause_reading()
        self._can_read.set()

    def pause_writing(self) -> None:
        """Called when the deployment does not read as fast as it is sent."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """Called when it has read nearly all."""
        self._can_write.set()

    async def ask(self, request: h11.Request, body: AsyncGenerator[bytes]) -> h11.Response:
        """Send a request and give the head of the reply.

        A deployment that replies before it has read all is sent no more.

        Raises:
            LostConnectionError: if there is none; the deployment may have begun to work all the same.
        """
        head = self._http.send(request) or b""
        async for part in body:
            # In one piece with the head, so that the deployment wakes up once for a small request.
            self._transport.write(head + (self._http.send(h11.Data(data=part)) or b""))
            head = b""
            await self._can_write.wait()
            if self._is_lost or self._unread_bytes:
                break
        else:
            self._transport.write(head + (self._http.send(h11.EndOfMessage()) or b""))
        while not isinstance(event := await self._read_event(), h11.Response):
            # A reply that is yet to come is announced by others.
            if not isinstance(event, h11.InformationalResponse):
                raise LostConnectionError("hung up without a reply")
        return event

    async def read_body(self) -> AsyncGenerator[bytes]:
        """The reply's body.

        Raises:
            LostConnectionError: if it breaks off.
        """
        while isinstance(event := await self._read_event(), h11.Data):
            yield bytes(event.data)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    async def _read_event(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                await self._wait_for_data()
        except h11.RemoteProtocolError as error:
            raise LostConnectionError(str(error)) from error
        return event

    async def _wait_for_data(self) -> None:
        if self._is_lost:
            self._http.receive_data(b"")
            return
        self._unread_bytes = 0
        self._can_read.clear()
        self._transport.resume_reading()
        await self._can_read.wait()
