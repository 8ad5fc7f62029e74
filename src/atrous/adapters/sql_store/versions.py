"""Rows of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, insert, select

from atrous.adapters.sql_store.database import SqlTable, utc
from atrous.adapters.sql_store.projects import find_project_id
from atrous.adapters.sql_store.tables import projects, versions
from atrous.core.class_map import ClassMap
from atrous.datasets.splits import Split
from atrous.workspace.records import Version
from atrous.workspace.versions import read_preprocessing, write_preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable

# SQLite can hold no larger number, not even to compare with.
MAX_INTEGER = 2**63 - 1


class SqlVersions(SqlTable):
    """Versions, numbered from 1 in each project."""

    def add_version(self, make: Callable[[int], Version], workspace: str, project: str) -> Version:
        """Keep what `make` gives for the next free number; no number is given twice."""
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project)
            newest = connection.scalar(select(func.max(versions.c.number)).where(versions.c.project_id == project_id))
            version = make((newest or 0) + 1)
            row = {
                "project_id": project_id,
                "number": version.number,
                "content_sha256": version.content_sha256,
                "class_names": list(version.class_map.names),
                "preprocessing": write_preprocessing(version.preprocessing),
                "pictures": {split.value: count for split, count in version.pictures.items()},
                "created": version.created,
            }
            connection.execute(insert(versions).values(row))
        return version

    def find_version(self, workspace: str, project: str, number: int) -> Version | None:
        """The version, or None."""
        if number > MAX_INTEGER:
            return None
        statement = _select_versions(workspace, project).where(versions.c.number == number)
        with self._read() as connection:
            row = connection.execute(statement).one_or_none()
        return _read_version(row) if row else None

    def list_versions(self, workspace: str, project: str) -> list[Version]:
        """In order of number."""
        with self._read() as connection:
            rows = connection.execute(_select_versions(workspace, project).order_by(versions.c.number))
            return [_read_version(row) for row in rows]


def _select_versions(workspace: str, project: str) -> Any:
    return (
        select(versions, projects.c.workspace, projects.c.slug)
        .join(projects)
        .where(projects.c.workspace == workspace, projects.c.slug == project)
    )


def _read_version(row: Row[Any]) -> Version:
    return Version(
        workspace=row.workspace,
        project=row.slug,
        number=row.number,
        content_sha256=row.content_sha256,
        class_map=ClassMap(tuple(row.class_names)),
        preprocessing=read_preprocessing(row.preprocessing),
        pictures={Split(name): count for name, count in row.pictures.items()},
        created=utc(row.created),
    )
