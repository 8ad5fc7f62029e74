"""Rows of workspaces."""

from __future__ import annotations

from sqlalchemy import insert, select

from atrous.adapters.sql_store.database import SqlTable
from atrous.adapters.sql_store.tables import workspaces
from atrous.core.errors import ConflictError


class SqlWorkspaces(SqlTable):
    """Workspaces by slug."""

    def add_workspace(self, slug: str) -> None:
        """Keep a new workspace.

        Raises:
            ConflictError: if it exists.
        """
        try:
            with self._write() as connection:
                connection.execute(insert(workspaces).values(slug=slug))
        except ConflictError as error:
            raise ConflictError(f"workspace {slug!r}: exists already") from error

    def list_workspaces(self) -> list[str]:
        """Slugs, oldest first."""
        with self._read() as connection:
            return list(connection.scalars(select(workspaces.c.slug).order_by(workspaces.c.id)))
