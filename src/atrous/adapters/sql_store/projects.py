"""Rows of projects and their pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from atrous.adapters.sql_store.database import SqlTable, utc
from atrous.adapters.sql_store.tables import pictures, projects
from atrous.core.class_map import ClassMap
from atrous.core.errors import ConflictError, NotFoundError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split, SplitRule
from atrous.workspace.records import Picture, Project

if TYPE_CHECKING:
    from collections.abc import Sequence


class SqlProjects(SqlTable):
    """Projects and their pictures."""

    def add_project(self, project: Project) -> None:
        """Keep a new project.

        Raises:
            ConflictError: if it exists.
        """
        row = {
            "workspace": project.workspace,
            "slug": project.slug,
            "class_names": list(project.class_map.names),
            "created": project.created,
        }
        try:
            with self._write() as connection:
                connection.execute(insert(projects).values(row))
        except IntegrityError as error:
            raise ConflictError(f"project {project.slug!r}: exists already") from error

    def find_project(self, workspace: str, slug: str) -> Project | None:
        """The project, or None."""
        with self._read() as connection:
            row = connection.execute(_select_project(workspace, slug)).one_or_none()
        return _read_project(row) if row else None

    def list_projects(self, workspace: str) -> list[Project]:
        """Oldest first."""
        with self._read() as connection:
            rows = connection.execute(select(projects).where(projects.c.workspace == workspace).order_by(projects.c.id))
            return [_read_project(row) for row in rows]

    def set_class_map(self, workspace: str, slug: str, class_map: ClassMap) -> None:
        """Replace the project's class map."""
        with self._write() as connection:
            connection.execute(
                update(projects)
                .where(projects.c.workspace == workspace, projects.c.slug == slug)
                .values(class_names=list(class_map.names))
            )

    def add_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> int:
        """Keep pictures whose image is not in the project yet; give how many were new."""
        if not pictures:
            return 0
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = [_write_picture(picture) | {"project_id": project_id} for picture in pictures]
            return sum(connection.execute(_add_picture, row).rowcount for row in rows)

    def update_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> None:
        """Replace all that is kept of pictures that are in the project, found by their image, at once."""
        if not pictures:
            return
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = [_write_picture(picture) | _key_of(project_id, picture) for picture in pictures]
            connection.execute(_update_picture, rows)

    def list_pictures(self, workspace: str, project: str) -> list[Picture]:
        """In order of name, then of image hash."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(pictures)
                .where(pictures.c.project_id == project_id)
                .order_by(pictures.c.name, pictures.c.image_sha256)
            )
            return [_read_picture(row) for row in rows]


def find_project_id(connection: Connection, workspace: str, slug: str) -> int:
    """The row id of a project.

    Raises:
        NotFoundError: if there is no such project.
    """
    row = connection.execute(_select_project(workspace, slug)).one_or_none()
    if row is None:
        raise NotFoundError(f"project {slug!r}: does not exist; `atrous import PATH --project {slug}` makes it")
    return row.id


def _select_project(workspace: str, slug: str) -> Any:
    return select(projects).where(projects.c.workspace == workspace, projects.c.slug == slug)


_add_picture = sqlite.insert(pictures).on_conflict_do_nothing()
_update_picture = update(pictures).where(
    pictures.c.project_id == bindparam("of_project"), pictures.c.image_sha256 == bindparam("of_image")
)


def _key_of(project_id: int, picture: Picture) -> dict[str, Any]:
    return {"of_project": project_id, "of_image": picture.image_sha256}


def _write_picture(picture: Picture) -> dict[str, Any]:
    return {
        "name": picture.name,
        "image_sha256": picture.image_sha256,
        "mask_sha256": picture.mask_sha256,
        "split": picture.split.value,
        "height": picture.size.height,
        "width": picture.size.width,
        "class_pixels": {str(class_id): pixels for class_id, pixels in picture.class_pixels.items()},
        "look": picture.look,
        "source_sha256": picture.source_sha256,
        "pending": picture.pending.value if picture.pending else None,
    }


def _read_project(row: Row[Any]) -> Project:
    return Project(
        workspace=row.workspace, slug=row.slug, class_map=ClassMap(tuple(row.class_names)), created=utc(row.created)
    )


def _read_picture(row: Row[Any]) -> Picture:
    return Picture(
        name=row.name,
        image_sha256=row.image_sha256,
        mask_sha256=row.mask_sha256,
        split=Split(row.split),
        size=Size(height=row.height, width=row.width),
        class_pixels={int(class_id): pixels for class_id, pixels in row.class_pixels.items()},
        look=row.look,
        source_sha256=row.source_sha256,
        pending=SplitRule(row.pending) if row.pending else None,
    )
