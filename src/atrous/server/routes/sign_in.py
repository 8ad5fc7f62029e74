"""Signing in: whose key it is."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, RootModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope as RequestScope

from atrous.core.errors import UnauthorizedError
from atrous.server.keys import find_workspace
from atrous.server.notes import current_notes
from atrous.server.openapi import NO_KEY_NEEDED, reply_of
from atrous.server.pages import SIGN_IN_PAGE
from atrous.server.platform import PLATFORM_ERRORS, PlatformRoute, admit
from atrous.server.service import Service, service_of
from atrous.workspace.records import Scope


class KeyInQueryRoute(PlatformRoute):
    """Takes requests whose query holds a key, and leaves the others to the page that has the same path."""

    def matches(self, scope: RequestScope) -> tuple[Match, RequestScope]:
        """Whether this route is for a request."""
        has_key = "api_key" in QueryParams(scope.get("query_string", b""))
        return super().matches(scope) if has_key else (Match.NONE, {})


router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)
by_query = APIRouter(route_class=KeyInQueryRoute)

# A key: no `.` and `..`, which clients take out of paths.
KeyText = Annotated[str, Field(pattern="^[^/.]+$", max_length=200)]

WELCOME = {
    "welcome": "This is Atrous.",
    "instructions": "Send your key as ?api_key= or as 'Authorization: Bearer KEY'.",
    "docs": "/docs",
}


class WelcomeReply(BaseModel):
    """The slug of the key's workspace, and where to read on."""

    workspace: str
    welcome: str
    instructions: str
    docs: str


class SignedIn(BaseModel):
    """A workspace and the key to it."""

    url: str
    name: str
    apiKey: str


class TokenReply(RootModel[dict[str, SignedIn] | None]):
    """Workspaces by slug; null if the token is not valid here."""


@router.post("/", responses=reply_of(WelcomeReply))
async def sign_in(request: Request) -> dict[str, Any]:
    """Whose key it is."""
    caller = await admit(request, scope=Scope.INFER)
    return {"workspace": caller.workspace, **WELCOME}


@by_query.get("/", include_in_schema=False)
async def sign_in_by_query(request: Request) -> dict[str, Any]:
    """Whose key it is."""
    return await sign_in(request)


@router.get("/auth-cli", include_in_schema=False)
async def show_sign_in() -> Response:
    """How to sign in from a terminal."""
    return Response(SIGN_IN_PAGE.content, headers=SIGN_IN_PAGE.headers, media_type="text/html")


@router.get("/query/cliAuthToken/{token}", responses=reply_of(TokenReply), openapi_extra=NO_KEY_NEEDED)
async def trade_token(request: Request, token: KeyText) -> dict[str, Any] | None:
    """The workspace of a token; tokens are keys here."""
    notes = current_notes()
    if notes is not None:
        notes.secrets.append(token)
    workspace = await run_in_threadpool(_find_workspace, service_of(request), token)
    if workspace is None:
        return None
    return {workspace: {"url": workspace, "name": workspace, "apiKey": token}}


def _find_workspace(service: Service, token: str) -> str | None:
    try:
        return find_workspace(service, token.strip())
    except UnauthorizedError:
        return None
