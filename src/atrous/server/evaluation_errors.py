"""Errors of the evaluations' routes: a code that clients read, beside the sentence."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from atrous.core.errors import AtrousError, InvalidInputError
from atrous.server.errors import answer_error
from atrous.server.platform import PLATFORM_ERRORS, PlatformRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response

    from atrous.server.openapi import Responses

CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "model_eval_not_found",
    409: "model_eval_not_done",
    429: "too_many_requests",
    503: "unavailable",
    507: "unavailable",
}


class ParameterError(InvalidInputError):
    """A parameter whose value is none of those allowed; `code` is what clients know it by."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class CodedError(BaseModel):
    """What went wrong as a word for programs, and as one sentence."""

    error: str
    message: str


EVALUATION_ERRORS: Responses = {
    status: {"model": CodedError, "description": told["description"]} for status, told in PLATFORM_ERRORS.items()
}


class EvaluationRoute(PlatformRoute):
    """Answers errors as `{"error": "code", "message": "sentence"}`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, which lets no foreseen error out."""
        handle = APIRoute.get_route_handler(self)

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (AtrousError, RequestValidationError, HTTPException) as error:
                return await answer_error(request, error, partial(_shape_error, error))

        return answer


def _shape_error(error: Exception, status: int, message: str) -> dict[str, Any]:
    code = error.code if isinstance(error, ParameterError) else CODES.get(status, "invalid_request")
    return {"error": code, "message": message}
