"""Rows of projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from atrous.adapters.sql_store.database import SqlTable, utc, utc_or_none
from atrous.adapters.sql_store.tables import (
    annotation_jobs,
    evaluations,
    held_masks,
    models,
    picture_terms,
    pictures,
    projects,
    trainings,
    versions,
)
from atrous.core.class_map import ClassMap
from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError
from atrous.workspace.records import Project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class SqlProjects(SqlTable):
    """Projects. Those in the trash are found only where it says so."""

    def add_project(self, project: Project) -> None:
        """Keep a new project.

        Raises:
            ConflictError: if it exists, also in the trash.
        """
        row = _write_project(project) | {"class_names": list(project.class_map.names)}
        try:
            with self._write() as connection:
                connection.execute(insert(projects).values(row))
        except ConflictError as error:
            raise ConflictError(f"project {project.slug!r}: exists already") from error

    def find_project(self, workspace: str, slug: str) -> Project | None:
        """The project, or None."""
        with self._read() as connection:
            row = connection.execute(_select_project(workspace, slug)).one_or_none()
        return read_project(row) if row else None

    def list_projects(self, workspace: str, *, deleted: bool = False) -> list[Project]:
        """Oldest first; those in the trash alone if asked for."""
        in_trash = projects.c.deleted.is_not(None) if deleted else projects.c.deleted.is_(None)
        statement = select(projects).where(projects.c.workspace == workspace, in_trash).order_by(projects.c.id)
        with self._read() as connection:
            return [read_project(row) for row in connection.execute(statement)]

    def set_project(self, project: Project) -> None:
        """Replace all that is kept of a project, in the trash or not, but for its classes."""
        place = projects.c.workspace == project.workspace, projects.c.slug == project.slug
        with self._write() as connection:
            connection.execute(update(projects).where(*place).values(_write_project(project)))

    def touch_project(self, workspace: str, slug: str, when: datetime) -> None:
        """Record that a project's pictures or classes changed."""
        place = projects.c.workspace == workspace, projects.c.slug == slug
        with self._write() as connection:
            connection.execute(update(projects).where(*place).values(updated=when))

    def set_class_map(self, workspace: str, slug: str, class_map: ClassMap) -> None:
        """Replace the project's class map."""
        with self._write() as connection:
            connection.execute(
                update(projects)
                .where(projects.c.workspace == workspace, projects.c.slug == slug)
                .values(class_names=list(class_map.names))
            )

    def extend_classes(self, workspace: str, slug: str, names: Sequence[str]) -> ClassMap:
        """Add the names that the project lacks, at the end, and give all; callers at the same time see each other's.

        Raises:
            ConflictError: if there would be too many, or a name cannot be.
            NotFoundError: if there is no such project.
        """
        with self._write() as connection:
            statement = _select_project(workspace, slug).with_for_update()
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise missing_project(slug)
            known = tuple(row.class_names)
            try:
                class_map = ClassMap((*known, *(name for name in dict.fromkeys(names) if name not in known)))
            except InvalidInputError as error:
                raise ConflictError(f"project {slug!r}: cannot take these classes too: {error}") from error
            if class_map.names != known:
                values = {"class_names": list(class_map.names)}
                connection.execute(update(projects).where(projects.c.id == row.id).values(values))
        return class_map

    def remove_project(self, workspace: str, slug: str) -> None:
        """Forget a project with its pictures, versions, trainings, models and evaluations, for good."""
        place = projects.c.workspace == workspace, projects.c.slug == slug
        with self._write() as connection:
            project_id = connection.scalar(select(projects.c.id).where(*place))
            for table in (evaluations, models, trainings):
                connection.execute(delete(table).where(table.c.workspace == workspace, table.c.project == slug))
            for table in (picture_terms, held_masks, annotation_jobs, pictures, versions):
                connection.execute(delete(table).where(table.c.project_id == project_id))
            connection.execute(delete(projects).where(projects.c.id == project_id))


def find_project_id(connection: Connection, workspace: str, slug: str, *, locked: bool = False) -> int:
    """The row id of a project that is not in the trash.

    Args:
        locked: let others who change several of its rows wait until this transaction is over. They might wait for each
            other otherwise, as each may have begun at another end.

    Raises:
        NotFoundError: if there is no such project.
    """
    statement = _select_project(workspace, slug)
    # Rows may come to belong to a project that is locked like this.
    row = connection.execute(statement.with_for_update(key_share=True) if locked else statement).one_or_none()
    if row is None:
        raise missing_project(slug)
    return row.id


def missing_project(slug: str) -> NotFoundError:
    """What to say where there is no such project."""
    return NotFoundError(f"project {slug!r}: does not exist; `atrous import PATH --project {slug}` makes it")


def read_project(row: Row[Any]) -> Project:
    """The project of a row with all columns of its table."""
    return Project(
        workspace=row.workspace,
        slug=row.slug,
        class_map=ClassMap(tuple(row.class_names)),
        created=utc(row.created),
        name=row.name,
        annotation=row.annotation,
        license=row.license,
        updated=utc_or_none(row.updated),
        deleted=utc_or_none(row.deleted),
    )


def _select_project(workspace: str, slug: str) -> Any:
    return select(projects).where(
        projects.c.workspace == workspace, projects.c.slug == slug, projects.c.deleted.is_(None)
    )


def _write_project(project: Project) -> dict[str, Any]:
    return {
        "workspace": project.workspace,
        "slug": project.slug,
        "created": project.created,
        "name": project.name,
        "annotation": project.annotation,
        "license": project.license,
        "updated": project.updated,
        "deleted": project.deleted,
    }
