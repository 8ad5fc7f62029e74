"""Workspaces: owners of projects, keys and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import ConflictError, NotFoundError
from atrous.core.ids import check_slug

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

FIRST_WORKSPACE = "main"


def ensure_first_workspace(ports: Ports) -> str:
    """Give the slug of the oldest workspace, making one in an empty store."""
    workspaces = ports.store.list_workspaces()
    if workspaces:
        return workspaces[0]
    try:
        ports.store.add_workspace(FIRST_WORKSPACE)
    except ConflictError:
        # Another process has just made it.
        return ports.store.list_workspaces()[0]
    return FIRST_WORKSPACE


def create_workspace(ports: Ports, slug: str) -> None:
    """Make an empty workspace; nothing of another one can be seen with its keys.

    Raises:
        InvalidInputError: if the slug is none, or reserved.
        ConflictError: if it exists.
    """
    ports.store.add_workspace(check_slug(slug, "workspace"))


def choose_workspace(ports: Ports, slug: str | None) -> str:
    """Give the workspace that was asked for, or the oldest.

    Raises:
        NotFoundError: if there is none of this slug.
    """
    if slug is None:
        return ensure_first_workspace(ports)
    if slug not in ports.store.list_workspaces():
        raise NotFoundError(f"workspace {slug!r}: does not exist; `atrous workspace list` shows those there are")
    return slug
