"""From an error to the status and JSON object that clients read."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from atrous.core.errors import AtrousError, TooManyRequestsError
from atrous.server.redaction import mask_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from starlette.requests import Request

logger = logging.getLogger(__name__)

# The clients try 503 again; this is how long others should wait.
RETRY_AFTER_S = "1"
KEPT_HEADERS = ("connection", "retry-after", "www-authenticate")
# What the framework says of its own, made into sentences that help.
PLAINER = {
    "Not Found": "this server has no such path; /docs lists what there is",
    "Method Not Allowed": "this path takes other methods; /docs lists them",
}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every foreseen error with a JSON object that has a `message`."""
    app.add_exception_handler(AtrousError, _answer_atrous_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)


def error_response(status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A JSON object under a status, without keys."""
    return Response(mask_keys(orjson.dumps(content).decode()), status, headers, media_type="application/json")


def describe_error(status: int, message: str) -> dict[str, Any]:
    """The body of an error that no route answers with, in words that the clients of all routes read."""
    reason = {"message": message, "status": status, "type": HTTPStatus(status).phrase}
    return {"error": reason, "message": message}


async def answer_error(
    request: Request,
    error: AtrousError | RequestValidationError | HTTPException,
    shape: Callable[[int, str], dict[str, Any]],
) -> Response:
    """The reply that the handlers give, with a body of another shape made of its status and message."""
    reply = await _find_answer(error)(request, error)
    content = orjson.loads(bytes(reply.body))
    headers = {name: value for name, value in reply.headers.items() if name in KEPT_HEADERS}
    return error_response(reply.status_code, content | shape(reply.status_code, content["message"]), headers)


def _find_answer(error: Exception) -> Callable[[Request, Exception], Awaitable[Response]]:
    if isinstance(error, AtrousError):
        return _answer_atrous_error
    return _answer_http_exception if isinstance(error, HTTPException) else _answer_validation_error


async def _answer_atrous_error(request: Request, raised: Exception) -> Response:
    error = cast("AtrousError", raised)
    headers: dict[str, str] = {}
    if isinstance(error, TooManyRequestsError):
        headers["Retry-After"] = str(error.retry_after_s)
    elif error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(request.app.state.service.slots.retry_after_s)
    elif error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    elif error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("operator needed: %s", error, extra={"status": error.status})
    return error_response(error.status, {"message": str(error)}, headers)


async def _answer_validation_error(_: Request, raised: Exception) -> Response:
    """Tell where and what, never the value: it may be a key or a whole picture."""
    error = cast("RequestValidationError", raised)
    details = [{"type": item["type"], "loc": list(item["loc"]), "msg": item["msg"]} for item in error.errors()]
    places = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}".removeprefix(": ") for item in details]
    return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, {"message": "; ".join(places), "detail": details})


async def _answer_http_exception(_: Request, raised: Exception) -> Response:
    error = cast("HTTPException", raised)
    message = PLAINER.get(error.detail, str(error.detail))
    content = describe_error(error.status_code, message) | {"detail": error.detail}
    return error_response(error.status_code, content, dict(error.headers or {}))
