"""How a request's key is found, and whose workspace it opens."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from atrous.core.errors import UnavailableError
from atrous.server.notes import current_notes
from atrous.workspace.keys import authenticate, check_scope
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from starlette.requests import Request

    from atrous.server.service import Service

# inference-sdk without a key sends the word None, other languages send null.
NO_KEY = frozenset({"", "None", "null"})


def find_secret(request: Request, body_key: str | None = None) -> str | None:
    """The key a request carries: its query before its `Authorization` header before its JSON body."""
    sent = [request.query_params.get("api_key"), *_read_authorization(request), body_key]
    candidates = [key.strip() for key in sent if key is not None and key.strip() not in NO_KEY]
    notes = current_notes()
    if notes is not None:
        notes.secrets.extend(candidates)
    return candidates[0] if candidates else None


def find_workspace(service: Service, secret: str | None, scope: Scope = Scope.INFER) -> str:
    """The workspace of a key, or the server's own when no key is asked for. Asks the store, so not for the event loop.

    Each call counts against the key's rate.

    Raises:
        UnauthorizedError: if a key is needed and this is none that is valid.
        TooManyRequestsError: if the key asked too often.
        ForbiddenError: if the key lacks the scope.
        UnavailableError: if no key is needed but there is no workspace yet.
    """
    if service.settings.auth_required:
        key = authenticate(service.ports, secret, service.settings.only_workspace)
        notes = current_notes()
        if notes is not None:
            notes.key_id = key.id
        service.rate_limit.take(key.id, key.requests_per_minute)
        check_scope(key, scope)
        return key.workspace
    return find_own_workspace(service)


def find_own_workspace(service: Service) -> str:
    """The only workspace that the server serves, or else the oldest one. Asks the store, so not for the event loop.

    Raises:
        UnavailableError: if there is no workspace yet.
    """
    if service.settings.only_workspace:
        return service.settings.only_workspace
    workspaces = service.ports.store.list_workspaces()
    if not workspaces:
        raise UnavailableError("this server has no workspace yet; start it with `atrous serve`, which makes one")
    return workspaces[0]


def _read_authorization(request: Request) -> list[str]:
    """What may be the key in the header, the likeliest first.

    HTTP Basic carries it as the password; or as the user's name when there is no password (`curl -u KEY:`).
    """
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return [sent]
    if scheme.lower() != "basic":
        return []
    try:
        user, _, password = base64.b64decode(sent, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return []
    return [password, user]
