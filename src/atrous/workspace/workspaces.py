"""Workspaces: owners of projects, keys and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

FIRST_WORKSPACE = "main"


def ensure_first_workspace(ports: Ports) -> str:
    """Give the slug of the oldest workspace, making one in an empty store."""
    workspaces = ports.store.list_workspaces()
    if workspaces:
        return workspaces[0]
    ports.store.add_workspace(FIRST_WORKSPACE)
    return FIRST_WORKSPACE


def choose_workspace(ports: Ports, slug: str | None) -> str:
    """Give the workspace that was asked for, or the oldest.

    Raises:
        NotFoundError: if there is none of this slug.
    """
    if slug is None:
        return ensure_first_workspace(ports)
    if slug not in ports.store.list_workspaces():
        raise NotFoundError(f"workspace {slug!r}: does not exist")
    return slug
