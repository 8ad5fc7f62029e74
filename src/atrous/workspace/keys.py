"""API keys: 160 random bits, kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidInputError, NotFoundError, UnauthorizedError
from atrous.workspace.records import Key

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

KEY_BYTES = 20
PREFIX_LENGTH = 6
MAX_NAME_LENGTH = 100


def create_key(ports: Ports, workspace: str, name: str) -> tuple[Key, str]:
    """Make a key; its secret is given here and never again.

    Raises:
        NotFoundError: if there is no such workspace.
        InvalidInputError: if the name is empty or over 100 characters.
    """
    if workspace not in ports.store.list_workspaces():
        raise NotFoundError(f"workspace {workspace!r}: does not exist")
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        raise InvalidInputError(f"key name {name[:20]!r}: use 1 to {MAX_NAME_LENGTH} characters")
    secret = secrets.token_hex(KEY_BYTES)
    key = Key(
        id=secrets.token_hex(4),
        workspace=workspace,
        name=name.strip(),
        prefix=secret[:PREFIX_LENGTH],
        created=ports.clock.now(),
    )
    ports.store.add_key(key, _digest(secret))
    return key, secret


def authenticate(ports: Ports, secret: str | None) -> Key:
    """Find the valid key of a secret. Looked up by hash, so timing tells nothing about other keys.

    Raises:
        UnauthorizedError: if there is none, or it was revoked.
    """
    if not secret:
        raise UnauthorizedError(
            "an API key is required; send it as ?api_key=, as 'Authorization: Bearer KEY' or as api_key in the JSON "
            "body (`atrous key create` makes one)"
        )
    key = ports.store.find_key(_digest(secret))
    if key is None or key.revoked is not None:
        raise UnauthorizedError("the API key is not valid here; `atrous key list` shows the valid ones")
    return key


def revoke_key(ports: Ports, workspace: str, key_id: str) -> None:
    """Make a key invalid from now on.

    Raises:
        NotFoundError: if the workspace has no valid key of this id.
    """
    if not ports.store.revoke_key(workspace, key_id, ports.clock.now()):
        raise NotFoundError(f"key {key_id!r}: no valid key of this id; `atrous key list` shows them")


def _digest(secret: str) -> str:
    # The secret has 160 random bits, so a slow password hash would protect nothing more.
    return hashlib.sha256(secret.encode()).hexdigest()
