"""How a request's key is found, and whose workspace it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import UnavailableError
from atrous.workspace.keys import authenticate

if TYPE_CHECKING:
    from starlette.requests import Request

    from atrous.server.service import Service

# inference-sdk without a key sends the word None, other languages send null.
NO_KEY = frozenset({"", "None", "null"})


def find_secret(request: Request, body_key: str | None = None) -> str | None:
    """The key a request carries: its query before its `Authorization` header before its JSON body."""
    candidates = (request.query_params.get("api_key"), _bearer(request), body_key)
    return next((key.strip() for key in candidates if key is not None and key.strip() not in NO_KEY), None)


def find_workspace(service: Service, secret: str | None) -> str:
    """The workspace of a key, or the oldest one when no key is asked for. Asks the store, so not for the event loop.

    Raises:
        UnauthorizedError: if a key is needed and this is none that is valid.
        UnavailableError: if no key is needed but there is no workspace yet.
    """
    if service.settings.auth_required:
        return authenticate(service.ports, secret).workspace
    workspaces = service.ports.store.list_workspaces()
    if not workspaces:
        raise UnavailableError("this server has no workspace yet; start it with `atrous serve`, which makes one")
    return workspaces[0]


def _bearer(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else None
