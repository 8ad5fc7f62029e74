"""When rows went to the trash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from atrous.adapters.sql_store.database import SqlTable
from atrous.adapters.sql_store.tables import projects, versions

if TYPE_CHECKING:
    from datetime import datetime


class SqlTrash(SqlTable):
    """What is in the trash, and what is back."""

    def set_project_deleted(self, workspace: str, slug: str, deleted: datetime | None) -> bool:
        """Say when a project was deleted, or that it was not; False if there is none."""
        place = projects.c.workspace == workspace, projects.c.slug == slug
        with self._write() as connection:
            return connection.execute(update(projects).where(*place).values(deleted=deleted)).rowcount > 0

    def set_version_deleted(self, workspace: str, project: str, number: int, deleted: datetime | None) -> bool:
        """The same for a version."""
        owner = select(projects.c.id).where(projects.c.workspace == workspace, projects.c.slug == project)
        place = versions.c.project_id == owner.scalar_subquery(), versions.c.number == number
        with self._write() as connection:
            return connection.execute(update(versions).where(*place).values(deleted=deleted)).rowcount > 0
