"""How long a request may take, and what becomes of it when its caller falls silent or leaves."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from atrous.server.errors import describe_error, error_response
from atrous.server.notes import current_notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE = {"Connection": "close"}
# Whole data sets go through here, in either direction.
TRANSFERS = "/platform/"


class Deadline:
    """Ends a request that takes too long, whose body stops arriving, or whose caller has gone; what it held is freed.

    Waiting for a slot, for a model to load and for the caller to read the reply all count. A transfer may take as long
    as it likes while it gets ahead.

    Args:
        app: what serves.
        request_timeout_s: from the head of a request to the end of its reply.
        body_timeout_s: between two parts of a body.
        tell_retry_after: gives the whole seconds after which a request that was too late may be sent again.
    """

    def __init__(
        self, app: ASGIApp, request_timeout_s: float, body_timeout_s: float, tell_retry_after: Callable[[], int]
    ) -> None:
        self._app = app
        self._request_timeout_s = request_timeout_s
        self._body_timeout_s = body_timeout_s
        self._tell_retry_after = tell_retry_after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ClientDisconnect: if the caller left, or did not take the reply in time.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        is_transfer = scope["path"].startswith(TRANSFERS)

        def note_progress() -> None:
            if is_transfer and not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time() + self._request_timeout_s)
                _note_limit(self._request_timeout_s)

        async def receive_noting() -> Message:
            message = await receive()
            note_progress()
            return message

        caller = _Caller(receive_noting, self._body_timeout_s)

        async def send_noting(message: Message) -> None:
            nonlocal has_started
            has_started = True
            note_progress()
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                # From here on a server reports the caller as gone, only because all has been said.
                caller.release()
            await send(message)

        limit = asyncio.timeout(self._request_timeout_s)
        _note_limit(self._request_timeout_s)
        try:
            async with limit:
                await caller.serve(self._app, scope, send_noting)
        except TimeoutError:
            if not limit.expired():
                raise
            if has_started:
                raise ClientDisconnect from None
            await self._answer_late(scope, receive, send)

    async def _answer_late(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = (
            f"the request took longer than {self._request_timeout_s:g} s; send fewer or smaller pictures, send it "
            "again later, or raise request_timeout_s of the server"
        )
        headers = {"Retry-After": str(self._tell_retry_after()), **CLOSE}
        content = describe_error(HTTPStatus.SERVICE_UNAVAILABLE, message)
        await error_response(HTTPStatus.SERVICE_UNAVAILABLE, content, headers)(scope, receive, send)


def _note_limit(after_s: float) -> None:
    notes = current_notes()
    if notes is not None:
        notes.answer_by_s = time.monotonic() + after_s


class _Caller:
    """Reads a request's body part by part, and from its end on watches whether the caller is still there."""

    def __init__(self, receive: Receive, body_timeout_s: float) -> None:
        self._receive = receive
        self._body_timeout_s = body_timeout_s
        self._watch: asyncio.Task[Message] | None = None
        self._task: asyncio.Task[object] | None = None
        self._has_left = False

    async def serve(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        """Run the app, and stop it when the caller leaves.

        Raises:
            ClientDisconnect: if the caller has left.
        """
        task = self._task = asyncio.current_task()
        try:
            await app(scope, self._receive_next, send)
        except asyncio.CancelledError:
            # Ours, unless someone else asked for it as well.
            if self._has_left and task and not task.uncancel():
                raise ClientDisconnect from None
            raise
        finally:
            self.release()
            if self._watch is not None:
                self._watch.cancel()

    def release(self) -> None:
        """Let the app run on if the caller leaves; it may still wait to hear that he has."""
        self._task = None

    async def _receive_next(self) -> Message:
        if self._watch is not None:
            return await asyncio.shield(self._watch)
        try:
            async with asyncio.timeout(self._body_timeout_s):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT,
                f"nothing of the body arrived for {self._body_timeout_s:g} s; send it again, or raise body_timeout_s "
                "of the server",
                CLOSE,
            ) from None
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._watch = asyncio.ensure_future(self._receive())
            self._watch.add_done_callback(self._note)
        return message

    def _note(self, watch: asyncio.Task[Message]) -> None:
        if watch.cancelled() or watch.exception() is not None or self._task is None:
            return
        if watch.result()["type"] == "http.disconnect":
            self._has_left = True
            self._task.cancel()
