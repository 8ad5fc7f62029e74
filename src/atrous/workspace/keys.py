"""API keys: 160 random bits, kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from atrous.core.errors import ForbiddenError, InvalidInputError, NotFoundError, UnauthorizedError
from atrous.workspace.records import Key, Scope

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

KEY_BYTES = 20
PREFIX_LENGTH = 6
MAX_NAME_LENGTH = 100
MAX_REQUESTS_PER_MINUTE = 1_000_000
MAX_GRACE_MINUTES = 60 * 24 * 30


def create_key(
    ports: Ports,
    workspace: str,
    name: str,
    *,
    scope: Scope = Scope.ADMIN,
    requests_per_minute: int | None = None,
) -> tuple[Key, str]:
    """Make a key; its secret is given here and never again.

    Raises:
        NotFoundError: if there is no such workspace.
        InvalidInputError: if the name is empty or over 100 characters, or the rate is not from 1 to a million.
    """
    if workspace not in ports.store.list_workspaces():
        raise NotFoundError(f"workspace {workspace!r}: does not exist")
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        raise InvalidInputError(f"key name {name[:20]!r}: use 1 to {MAX_NAME_LENGTH} characters")
    if requests_per_minute is not None and not 1 <= requests_per_minute <= MAX_REQUESTS_PER_MINUTE:
        raise InvalidInputError(f"{requests_per_minute} requests per minute: use 1 to {MAX_REQUESTS_PER_MINUTE}")
    secret = make_secret()
    key = Key(
        id=secrets.token_hex(4),
        workspace=workspace,
        name=name.strip(),
        prefix=secret[:PREFIX_LENGTH],
        created=ports.clock.now(),
        scope=scope,
        requests_per_minute=requests_per_minute,
    )
    ports.store.add_key(key, _digest(secret))
    return key, secret


def make_secret() -> str:
    """160 random bits as hexadecimal digits with a letter among them: clients refuse secrets without."""
    while True:
        secret = secrets.token_hex(KEY_BYTES)
        if not secret.isdigit():
            return secret


def rotate_key(ports: Ports, workspace: str, key_id: str, *, grace_minutes: int = 0) -> tuple[Key, str]:
    """Give a key another secret, told here and never again; the last one opens the workspace until its grace is over.

    The secret before the last one is over at once.

    Raises:
        NotFoundError: if the workspace has no valid key of this id.
        InvalidInputError: if the grace is not from 0 minutes to 30 days.
    """
    if not 0 <= grace_minutes <= MAX_GRACE_MINUTES:
        raise InvalidInputError(f"grace of {grace_minutes} minutes: use 0 to {MAX_GRACE_MINUTES}, which is 30 days")
    secret = make_secret()
    now = ports.clock.now()
    until = now + timedelta(minutes=grace_minutes)
    prefix = secret[:PREFIX_LENGTH]
    if not ports.store.rotate_key(workspace, key_id, _digest(secret), prefix, when=now, grace_until=until):
        raise _missing(key_id)
    return authenticate(ports, secret), secret


def authenticate(ports: Ports, secret: str | None, only_workspace: str = "") -> Key:
    """Find the valid key of a secret; one of another workspace is none, if only one is served.

    Secrets are never compared: their hash is looked up in an index. How long that takes can tell something about
    hashes at most, and nobody can choose the hash of a guess, so it tells nothing about any secret.

    Raises:
        UnauthorizedError: if there is none, or it was revoked.
    """
    if not secret:
        raise UnauthorizedError(
            "no API key was sent; send it as ?api_key=, as 'Authorization: Bearer KEY', as a password (HTTP Basic) "
            "or as api_key in the JSON body (`atrous key create` makes one)"
        )
    key = ports.store.find_key(_digest(secret))
    is_valid = key is not None and (key.revoked is None or key.revoked > ports.clock.now())
    if key is None or not is_valid or only_workspace not in {"", key.workspace}:
        raise UnauthorizedError("the API key is not valid here; `atrous key list` shows the valid ones")
    return key


def check_scope(key: Key, needed: Scope) -> None:
    """Let a key pass that may do this.

    Raises:
        ForbiddenError: naming the scope that it lacks.
    """
    if not key.scope.allows(needed):
        raise ForbiddenError(
            f"this key has the scope {key.scope} and this needs {needed}; `atrous key create --scope {needed}` makes "
            "one that may"
        )


def revoke_key(ports: Ports, workspace: str, key_id: str) -> None:
    """Make a key invalid from now on.

    Raises:
        NotFoundError: if the workspace has no valid key of this id.
    """
    if not ports.store.revoke_key(workspace, key_id, ports.clock.now()):
        raise _missing(key_id)


def _missing(key_id: str) -> NotFoundError:
    return NotFoundError(f"key {key_id!r}: no valid key of this id; `atrous key list` shows them")


def _digest(secret: str) -> str:
    # The secret has 160 random bits, so a slow password hash would protect nothing more.
    return hashlib.sha256(secret.encode()).hexdigest()
