"""The largest body that a request may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from atrous.core.errors import TooLargeError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Refuses a body by its announced length before it is read, and one of no announced length while it is read."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; reading too much raises a TooLargeError in the route that reads."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        read_bytes = int(announced) if announced.isascii() and announced.isdigit() else 0
        is_announced = read_bytes > 0

        async def receive_limited() -> Message:
            nonlocal read_bytes
            if is_announced:
                self._check(read_bytes)
            message = await receive()
            if not is_announced:
                read_bytes += len(message.get("body", b""))
                self._check(read_bytes)
            return message

        await self._app(scope, receive_limited, send)

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise TooLargeError(
                f"the request's body is over {self._max_bytes} bytes; send a smaller picture or fewer at a time, or "
                "raise max_body_bytes of the server"
            )
