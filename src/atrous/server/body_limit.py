"""The largest body that a request may have, and that all requests may have together."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from atrous.core.errors import TooLargeError, UnavailableError
from atrous.server.deployment_paths import PASSAGE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


# What is sent here is written to disk part by part as it comes.
UPLOADS = "/platform/"


class BodyBudget:
    """Bytes of bodies that are held at a time. Safe to use from several threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used

    def take(self, size_bytes: int) -> None:
        """Hold that many more.

        Raises:
            UnavailableError: if they do not fit in; then nothing is taken.
        """
        with self._lock:
            if self._used + size_bytes > self._max_bytes:
                raise UnavailableError(
                    f"the server holds {self._max_bytes} bytes of bodies already; send the request again in a moment, "
                    "or raise max_total_body_bytes of the server"
                )
            self._used += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Hold that many less."""
        with self._lock:
            self._used -= size_bytes


class BodyLimit:
    """Refuses a body by its announced length before it is read, and by what arrives while it is read.

    Only bytes that have arrived count for the budget: who announces much and sends nothing takes nothing from others.
    Uploads of whole files have a limit of their own and are not held, so they do not count; nor does what is passed on.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_upload_bytes: int, budget: BodyBudget) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; reading too much raises in the route that reads."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        announced_bytes = int(announced[:20]) if announced.isascii() and announced.isdigit() else 0
        is_upload = scope["method"] == "PUT" and scope["path"].startswith(UPLOADS)
        is_held = not is_upload and PASSAGE not in scope
        check = self._check_upload if is_upload else self._check
        read_bytes = held_bytes = 0

        async def receive_limited() -> Message:
            nonlocal read_bytes, held_bytes
            check(announced_bytes)
            message = await receive()
            size_bytes = len(message.get("body", b""))
            if size_bytes:
                read_bytes += size_bytes
                check(read_bytes)
            if size_bytes and is_held:
                self._budget.take(size_bytes)
                held_bytes += size_bytes
            return message

        try:
            await self._app(scope, receive_limited, send)
        finally:
            self._budget.give_back(held_bytes)

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise TooLargeError(
                f"the request's body is over {self._max_bytes} bytes; send a smaller picture or fewer at a time, or "
                "raise max_body_bytes of the server"
            )

    def _check_upload(self, size_bytes: int) -> None:
        if size_bytes > self._max_upload_bytes:
            raise TooLargeError(
                f"the file is over {self._max_upload_bytes} bytes; send it in several parts, or raise max_upload_bytes "
                "of the server"
            )
