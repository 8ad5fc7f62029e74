"""HTTP over one connection, with little patience for callers who neither speak nor listen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

from atrous.server.errors import describe_error

if TYPE_CHECKING:
    import asyncio


class PatientProtocol(H11Protocol):
    """Uvicorn's own, which would wait for the head of a request, and for a reader of the reply, for ever.

    Attributes:
        header_timeout_s: from the first byte of a connection or request to the end of its head.
        stall_timeout_s: how long a reply may lie unread, or the rest of a refused body keep coming.
        max_connections: the next one is closed at once.
    """

    header_timeout_s: float = 10
    stall_timeout_s: float = 20
    max_connections: int = 1000

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._head_timer = self.loop.call_later(self.header_timeout_s, self._abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all waiting."""
        for timer in (self._head_timer, self._rest_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait no longer than allowed for the rest of what begins here."""
        super().data_received(data)
        is_between = self.conn.their_state is h11.IDLE
        self._head_timer = self._keep(self._head_timer, self.header_timeout_s, is_wanted=is_between)
        is_refused = self.conn.their_state is h11.SEND_BODY and self._has_answered()
        self._rest_timer = self._keep(self._rest_timer, self.stall_timeout_s, is_wanted=is_refused)

    def on_response_complete(self) -> None:
        """Let a keep-alive connection rest: from here uvicorn's own timer counts."""
        super().on_response_complete()
        self._head_timer = self._keep(self._head_timer, self.header_timeout_s, is_wanted=False)

    def pause_writing(self) -> None:
        """Called when the caller does not read as fast as we write."""
        super().pause_writing()
        self._watch_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Called when the caller has read nearly all."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a JSON object, as everything else."""
        body = orjson.dumps(describe_error(400, f"{msg} Send HTTP/1.1 with a head of at most 16 kB."))
        length = str(len(body)).encode("ascii")
        headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            events = (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage())
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        self._let_go_of_request()
        self.transport.close()

    def _let_go_of_request(self) -> None:
        """Tell the route that still reads a body gone wrong that its caller has left: it has been answered."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _has_answered(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and bool(cycle.response_complete)

    def _keep(
        self, timer: asyncio.TimerHandle | None, after_s: float, *, is_wanted: bool
    ) -> asyncio.TimerHandle | None:
        """Give a timer that runs exactly while it is wanted; one that runs already is not wound up again."""
        if is_wanted:
            return timer or self.loop.call_later(after_s, self._abort)
        if timer is not None:
            timer.cancel()
        return None

    def _watch_reader(self, unread_bytes: int) -> None:
        """Hang up on a caller who reads nothing at all for a while."""

        def check() -> None:
            still_unread = self.transport.get_write_buffer_size()
            if still_unread >= unread_bytes:
                self._abort()
            else:
                self._watch_reader(still_unread)

        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self._stall_timer = self.loop.call_later(self.stall_timeout_s, check)

    def _abort(self) -> None:
        self.transport.abort()


def make_protocol(*, header_timeout_s: float, stall_timeout_s: float, max_connections: int) -> type[PatientProtocol]:
    """A protocol of this patience."""
    return type(
        "Protocol",
        (PatientProtocol,),
        {
            "header_timeout_s": header_timeout_s,
            "stall_timeout_s": stall_timeout_s,
            "max_connections": max_connections,
        },
    )
