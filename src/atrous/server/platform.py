"""What the routes of the platform API share: whose request it is, and errors in the words of its clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from atrous.core.errors import AtrousError, NotFoundError
from atrous.server.errors import answer_error, describe_error
from atrous.server.keys import find_secret, find_workspace
from atrous.server.service import service_of
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response

    from atrous.server.openapi import Responses
    from atrous.workspace.ports import Ports


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is, and the world it acts on."""

    ports: Ports
    workspace: str


async def admit(
    request: Request, workspace: str | None = None, *, scope: Scope = Scope.READ, body_key: str | None = None
) -> Caller:
    """Let a request in.

    Args:
        request: it carries a key.
        workspace: the workspace that its path names, if it names one.
        scope: what the key must be good for.
        body_key: the key in its body, if there is one.

    Raises:
        UnauthorizedError: if the key is missing or not valid here.
        ForbiddenError: if the key lacks the scope.
        NotFoundError: if the path names a workspace that is not the key's: others do not exist for it.
    """
    service = service_of(request)
    own = await run_in_threadpool(find_workspace, service, find_secret(request, body_key), scope)
    if workspace not in {None, own}:
        raise NotFoundError(f"workspace {workspace!r}: not found with this key; `roboflow whoami` names the key's own")
    return Caller(service.ports, own)


class PlatformRoute(APIRoute):
    """Answers errors as `{"error": {"message", "status", "type"}}`, with the same `message` beside it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, which lets no foreseen error out."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (AtrousError, RequestValidationError, HTTPException) as error:
                return await answer_error(request, error, self.shape_error)

        return answer

    def shape_error(self, status: int, message: str) -> dict[str, Any]:
        """The body of an error."""
        return describe_error(status, message)


class FlatErrorRoute(PlatformRoute):
    """Answers errors as `{"error": "message"}`, which the trash's clients read."""

    def shape_error(self, status: int, message: str) -> dict[str, Any]:
        """The body of an error."""
        return {"error": message, "message": message, "status": status}


class ErrorReason(BaseModel):
    """What went wrong."""

    message: str
    status: int
    type: str


class PlatformError(BaseModel):
    """What went wrong and what to do about it, in one sentence, twice."""

    error: ErrorReason
    message: str


class FlatError(BaseModel):
    """The same with a sentence as `error`."""

    error: str
    message: str
    status: int


_MEANINGS = {
    400: "The request asks for something that cannot be.",
    401: "No key was sent, or one that is not valid here.",
    403: "The key may not do this.",
    404: "There is nothing of this name that the key may see.",
    408: "The body stopped arriving.",
    409: "It exists already, or its state forbids this.",
    413: "Over a limit, which the message names.",
    422: "The body or a parameter has another form.",
    429: "Too many requests with this key.",
    503: "Not now; send the request again.",
    507: "The disk is full.",
}
PLATFORM_ERRORS: Responses = {
    status: {"model": PlatformError, "description": meaning} for status, meaning in _MEANINGS.items()
}
# For paths that others have too.
OTHER_METHODS: Responses = {405: {"model": PlatformError, "description": "The path is another one's."}}
FLAT_ERRORS: Responses = {status: {"model": FlatError, "description": meaning} for status, meaning in _MEANINGS.items()}
