"""What is the same for every request and reply: its id, its time, its line in the log, its last resort."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request

from atrous.server.errors import RETRY_AFTER_S, describe_error, error_response
from atrous.server.keys import find_secret
from atrous.server.notes import Notes, taking_notes
from atrous.server.redaction import redact

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from atrous.server.service import Service

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("atrous.server.access")

# What nginx logs for a caller who left before the answer.
CALLER_LEFT = 499
ERROR_STATUS = 400
# inference-sdk's header is written so; a proxy may have tidied it.
ECHOED = ("execution_id", "execution-id")


class Exchange:
    """Marks each reply with `x-request-id`, `X-Processing-Time` and the caller's `execution_id`, logs and counts it.

    Only the path is logged, never the query, headers or body: they hold keys and pictures.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything unforeseen is logged once and answered with its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        notes = Notes(_keep_uuid4(headers.get("x-request-id")) or str(uuid.uuid4()))
        exchange = _Exchange(scope, send, notes, _find_echoes(headers))
        service = self._service
        with taking_notes(notes), service.tracing.span(scope, notes) as outcome:
            try:
                if service.life.refuses(scope["path"]):
                    await _refuse(scope, receive, exchange.send)
                else:
                    with service.life.serving():
                        await exchange.run(self._app, receive)
            finally:
                outcome["status"] = exchange.status
                notes.route = _find_route(scope)
                elapsed_s = exchange.elapsed_s
                _log_access(scope, exchange.status, elapsed_s, notes)
                service.metrics.count_request(scope["method"], notes.route, exchange.status, elapsed_s)
                if notes.deployment is not None:
                    service.metrics.deployments.count(notes.deployment, exchange.status, elapsed_s)
                if notes.model is not None and notes.has_predicted:
                    is_good = exchange.status < ERROR_STATUS
                    service.metrics.count_inference(notes.model, elapsed_s, is_good=is_good)
                    if is_good:
                        service.usage.count(notes)


class _Exchange:
    """One request and its reply; `status` is that of a caller who left until a reply begins."""

    def __init__(self, scope: Scope, send: Send, notes: Notes, echoes: dict[str, str]) -> None:
        self._scope = scope
        self._send = send
        self._notes = notes
        self._marks = {"x-request-id": notes.request_id, **echoes}
        self._started = time.perf_counter()
        self._has_begun = False
        self.status = CALLER_LEFT

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._started

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.update({**self._marks, "X-Processing-Time": f"{self.elapsed_s:.6f}"})
        await self._send(message)

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        try:
            await app(self._scope, receive, self.send)
        except ClientDisconnect:
            self.status = CALLER_LEFT
        except Exception:
            # What was sent as a key may stand in the traceback.
            find_secret(Request(self._scope))
            request_id = self._notes.request_id
            logger.exception("request failed: %s", request_id, extra={"request_id": request_id})
            if self._has_begun:
                # Too late for another status; without an end of the body the caller knows that it is not whole.
                return
            content = {"message": "Internal error.", "id": request_id}
            await error_response(500, content)(self._scope, receive, self.send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    content = describe_error(503, "the server is about to end; send the request again in a moment")
    headers = {"Retry-After": RETRY_AFTER_S, "Connection": "close"}
    await error_response(503, content, headers)(scope, receive, send)


def _find_echoes(headers: Headers) -> dict[str, str]:
    return {name: value for name in ECHOED if (value := headers.get(name)) is not None}


def _find_route(scope: Scope) -> str | None:
    """The path of the route that served, as it is declared; routers leave the route in the scope."""
    return getattr(scope.get("route"), "path", None)


def _keep_uuid4(text: str | None) -> str | None:
    try:
        parsed = uuid.UUID(text or "")
    except ValueError:
        return None
    return text if parsed.version == 4 and text and text.lower() == str(parsed) else None


def _log_access(scope: Scope, status: int, elapsed_s: float, notes: Notes) -> None:
    if not access_logger.isEnabledFor(logging.INFO):
        return
    # Quoted, so that nobody can write a line of his own into the log; someone may have put a key there.
    path = redact(quote(scope["path"])[:200])
    fields = {"method": scope["method"], "path": path, "status": status, "ms": round(1000 * elapsed_s, 1)}
    text = "%(method)s %(path)s %(status)d %(ms).1f ms"
    if notes.deployment is not None:
        fields["deployment"] = notes.deployment.name
        text += ", deployment %(deployment)s"
    extra = {**fields, "request_id": notes.request_id}
    if notes.key_id:
        extra["key"] = notes.key_id
    access_logger.info(text, fields, extra=extra)
