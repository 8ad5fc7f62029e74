"""What is the same for every request and reply: its id, its time, its line in the log, its last resort."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from atrous.server.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("atrous.server.access")

# What nginx logs for a caller who left before the answer.
CALLER_LEFT = 499


class Exchange:
    """Marks each reply with `x-request-id`, `X-Processing-Time` and the caller's `execution_id`, and logs it.

    Only the path is logged, never the query, headers or body: they hold keys and pictures.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything unforeseen is logged once and answered with its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        marks = _make_marks(Headers(scope=scope))
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update({**marks, "X-Processing-Time": f"{time.perf_counter() - started:.6f}"})
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except ClientDisconnect:
            status = CALLER_LEFT
        except Exception:
            request_id = marks["x-request-id"]
            logger.exception("request failed: %s", request_id, extra={"request_id": request_id})
            if status:
                raise
            content = {"message": "Internal error.", "id": request_id}
            await error_response(500, content)(scope, receive, send_marked)
        finally:
            _log_access(scope, status, time.perf_counter() - started, marks["x-request-id"])


def _make_marks(headers: Headers) -> dict[str, str]:
    marks = {"x-request-id": _keep_uuid4(headers.get("x-request-id")) or str(uuid.uuid4())}
    execution_id = headers.get("execution_id")
    return marks if execution_id is None else {**marks, "execution_id": execution_id}


def _keep_uuid4(text: str | None) -> str | None:
    try:
        parsed = uuid.UUID(text or "")
    except ValueError:
        return None
    return text if parsed.version == 4 and text and text.lower() == str(parsed) else None


def _log_access(scope: Scope, status: int, elapsed_s: float, request_id: str) -> None:
    # Quoted, so that nobody can write a line of his own into the log.
    path = quote(scope["path"])[:200]
    fields = {"method": scope["method"], "path": path, "status": status, "ms": round(1000 * elapsed_s, 1)}
    access_logger.info("%(method)s %(path)s %(status)d %(ms).1f ms", fields, extra={**fields, "request_id": request_id})
