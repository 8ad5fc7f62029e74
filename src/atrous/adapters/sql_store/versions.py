"""Rows of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, func, insert, select, update

from atrous.adapters.sql_store.database import MAX_INTEGER, SqlTable, utc, utc_or_none
from atrous.adapters.sql_store.projects import find_project_id
from atrous.adapters.sql_store.tables import evaluations, models, projects, trainings, versions
from atrous.core.class_map import ClassMap
from atrous.datasets.splits import Split
from atrous.workspace.records import Version, VersionState
from atrous.workspace.version_content import read_preprocessing, write_preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable


class SqlVersions(SqlTable):
    """Versions, numbered from 1 in each project."""

    def add_version(self, make: Callable[[int], Version], workspace: str, project: str) -> Version:
        """Keep what `make` gives for the next free number; no number is given twice."""
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project)
            last = connection.scalar(
                select(projects.c.last_version).where(projects.c.id == project_id).with_for_update()
            )
            newest = connection.scalar(select(func.max(versions.c.number)).where(versions.c.project_id == project_id))
            version = make(max(last or 0, newest or 0) + 1)
            row = _write_version(version) | {"project_id": project_id, "number": version.number}
            connection.execute(insert(versions).values(row))
            number = {"last_version": version.number}
            connection.execute(update(projects).where(projects.c.id == project_id).values(number))
        return version

    def find_version(self, workspace: str, project: str, number: int) -> Version | None:
        """The version, or None."""
        if number > MAX_INTEGER:
            return None
        statement = _select_versions(workspace, project, deleted=False).where(versions.c.number == number)
        with self._read() as connection:
            row = connection.execute(statement).one_or_none()
        return _read_version(row) if row else None

    def list_versions(self, workspace: str, project: str, *, deleted: bool = False) -> list[Version]:
        """In order of number; those in the trash alone if asked for."""
        statement = _select_versions(workspace, project, deleted=deleted).order_by(versions.c.number)
        with self._read() as connection:
            return [_read_version(row) for row in connection.execute(statement)]

    def set_version(self, version: Version) -> None:
        """Replace all that is kept of a version, in the trash or not."""
        with self._write() as connection:
            place = _place_of(version.workspace, version.project, version.number)
            connection.execute(update(versions).where(*place).values(_write_version(version)))

    def remove_version(self, workspace: str, project: str, number: int) -> None:
        """Forget a version with its trainings, models and evaluations, for good; its number is not given again."""
        with self._write() as connection:
            for table in (evaluations, models, trainings):
                place = table.c.workspace == workspace, table.c.project == project, table.c.version == number
                connection.execute(delete(table).where(*place))
            connection.execute(delete(versions).where(*_place_of(workspace, project, number)))


def _place_of(workspace: str, project: str, number: int) -> tuple[Any, ...]:
    owner = select(projects.c.id).where(projects.c.workspace == workspace, projects.c.slug == project)
    return versions.c.project_id == owner.scalar_subquery(), versions.c.number == number


def _select_versions(workspace: str, project: str, *, deleted: bool) -> Any:
    return (
        select(versions, projects.c.workspace, projects.c.slug)
        .join(projects)
        .where(
            projects.c.workspace == workspace,
            projects.c.slug == project,
            projects.c.deleted.is_(None),
            versions.c.deleted.is_not(None) if deleted else versions.c.deleted.is_(None),
        )
    )


def _write_version(version: Version) -> dict[str, Any]:
    return {
        "content_sha256": version.content_sha256,
        "class_names": list(version.class_map.names),
        "preprocessing": write_preprocessing(version.preprocessing),
        "pictures": {split.value: count for split, count in version.pictures.items()},
        "created": version.created,
        "name": version.name,
        "state": version.state.value,
        "settings": dict(version.settings),
        "source_sha256": version.source_sha256,
        "progress": version.progress,
        "error": version.error,
        "deleted": version.deleted,
    }


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
        name=row.name,
        state=VersionState(row.state),
        settings=row.settings,
        source_sha256=row.source_sha256,
        progress=row.progress,
        error=row.error,
        deleted=utc_or_none(row.deleted),
    )
