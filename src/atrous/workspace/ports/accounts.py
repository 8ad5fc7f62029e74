"""Who may ask: workspaces, keys and the store's own secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from atrous.workspace.records import Key


class WorkspaceStore(Protocol):
    """Workspaces by slug."""

    def add_workspace(self, slug: str) -> None:
        """Keep a new workspace. Raises ConflictError if it exists."""
        ...

    def list_workspaces(self) -> list[str]:
        """Slugs, oldest first."""
        ...


class KeyStore(Protocol):
    """Keys by the hash of their secret."""

    def add_key(self, key: Key, digest: str) -> None:
        """Keep a key under the hash of its secret."""
        ...

    def find_key(self, digest: str) -> Key | None:
        """The key of this hash, revoked ones included."""
        ...

    def list_keys(self, workspace: str) -> list[Key]:
        """Oldest first, revoked ones included."""
        ...

    def revoke_key(self, workspace: str, key_id: str, when: datetime) -> bool:
        """Mark a key as revoked; False if there is none of this id that is still valid."""
        ...

    def rotate_key(
        self, workspace: str, key_id: str, digest: str, prefix: str, *, when: datetime, grace_until: datetime
    ) -> bool:
        """Give a key another secret; its last one stays valid until then. False if there is no such valid key."""
        ...


class SecretStore(Protocol):
    """Secrets that the server signs with, shared by all servers of one store."""

    def keep_secret(self, name: str, fresh: str) -> str:
        """Give the secret of this name, which is `fresh` where there was none."""
        ...
