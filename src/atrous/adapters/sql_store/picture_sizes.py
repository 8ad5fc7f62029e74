"""What the rows of pictures say about them as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from atrous.adapters.sql_store.database import SqlTable
from atrous.adapters.sql_store.pictures import CLASS
from atrous.adapters.sql_store.projects import find_project_id
from atrous.adapters.sql_store.tables import picture_terms, pictures
from atrous.core.class_map import BACKGROUND_ID, VOID_ID
from atrous.workspace.ports import PictureSizes

if TYPE_CHECKING:
    from collections.abc import Sequence


class SqlPictureSizes(SqlTable):
    """Figures over all pictures of a project."""

    def measure_pictures(self, workspace: str, project: str) -> PictureSizes:
        """How large they are, and how many show an object."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(pictures.c.width, pictures.c.height, func.count())
                .where(pictures.c.project_id == project_id)
                .group_by(pictures.c.width, pictures.c.height)
            )
            sizes = [(int(width), int(height), int(count)) for width, height, count in rows]
            with_objects = _count_with_objects(connection, project_id)
        total = sum(count for *_, count in sizes) or 1
        return PictureSizes(
            mean_width=sum(width * count for width, _, count in sizes) / total,
            mean_height=sum(height * count for _, height, count in sizes) / total,
            median_ratio=_find_median([(width / height, count) for width, height, count in sizes]),
            with_objects=with_objects,
        )


def _count_with_objects(connection: Connection, project_id: int) -> int:
    shown = connection.scalar(
        select(func.count(picture_terms.c.picture_id.distinct())).where(
            picture_terms.c.project_id == project_id,
            picture_terms.c.kind == CLASS,
            picture_terms.c.term.not_in([str(BACKGROUND_ID), str(VOID_ID)]),
        )
    )
    return shown or 0


def _find_median(counted: Sequence[tuple[float, int]]) -> float:
    """The value in the middle, of values and how often each is there; 0 of none."""
    middle = sum(count for _, count in counted) // 2
    for value, count in sorted(counted):
        middle -= count
        if middle < 0:
            return value
    return 0.0
