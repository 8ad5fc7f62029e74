"""Search for pictures in SQL."""

from __future__ import annotations

from operator import ge, le
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, func, not_, or_, select, true

from atrous.adapters.sql_store.database import SqlTable
from atrous.adapters.sql_store.pictures import CLASS, METADATA, TAG, read_picture
from atrous.adapters.sql_store.projects import read_project
from atrous.adapters.sql_store.tables import picture_terms, pictures, projects
from atrous.workspace.search import And, Condition, Expression, Field, Not, Or, Order, Search

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.workspace.records import Picture, Project

TERM_KINDS = {Field.TAG: TAG, Field.METADATA: METADATA}
COLUMNS: dict[Field, ColumnElement[Any]] = {
    Field.SPLIT: pictures.c.split,
    Field.JOB: pictures.c.annotation_job,
    Field.BATCH: pictures.c.batch,
    Field.PROJECT: projects.c.slug,
    Field.ID: pictures.c.public_id,
}
BOUNDS: dict[Field, tuple[ColumnElement[Any], Callable[[Any, int], ColumnElement[bool]]]] = {
    Field.MIN_WIDTH: (pictures.c.width, ge),
    Field.MAX_WIDTH: (pictures.c.width, le),
    Field.MIN_HEIGHT: (pictures.c.height, ge),
    Field.MAX_HEIGHT: (pictures.c.height, le),
}
ORDERS: dict[Order, tuple[ColumnElement[Any], ...]] = {
    Order.NEWEST: (pictures.c.created.desc(), pictures.c.id.desc()),
    Order.OLDEST: (pictures.c.created, pictures.c.id),
    Order.NAME: (pictures.c.name, pictures.c.id),
    Order.NAME_DOWN: (pictures.c.name.desc(), pictures.c.id.desc()),
}


class SqlSearch(SqlTable):
    """Pictures by what they are searched by."""

    def search_pictures(self, workspace: str, search: Search) -> tuple[list[tuple[Project, Picture]], int]:
        """A page of what is searched for, and how many there are in all."""
        with self._read() as connection:
            owners = connection.execute(
                select(projects).where(projects.c.workspace == workspace, projects.c.deleted.is_(None))
            ).all()
            chosen = {row.id: read_project(row) for row in owners if search.project in {None, row.slug}}
            where = and_(pictures.c.project_id.in_(chosen), _translate(search.where, chosen))
            matches = pictures.join(projects)
            total = connection.scalar(select(func.count()).select_from(matches).where(where)) or 0
            page = (
                select(pictures)
                .select_from(matches)
                .where(where)
                .order_by(*ORDERS[search.order])
                .offset(search.offset)
                .limit(search.limit)
            )
            found = [(chosen[row.project_id], read_picture(row)) for row in connection.execute(page)]
        return found, total


def _translate(part: Expression, owners: dict[int, Project]) -> ColumnElement[bool]:
    match part:
        case And(parts):
            return and_(true(), *(_translate(one, owners) for one in parts))
        case Or(parts):
            return or_(*(_translate(one, owners) for one in parts))
        case Not(inner):
            return not_(_translate(inner, owners))
        case Condition():
            return _translate_condition(part, owners)


def _translate_condition(condition: Condition, owners: dict[int, Project]) -> ColumnElement[bool]:
    field, value = condition.field, condition.value
    if field in TERM_KINDS:
        return _has_term(TERM_KINDS[field], value)
    if field in COLUMNS:
        return COLUMNS[field] == value
    if field in BOUNDS:
        column, compare = BOUNDS[field]
        return compare(column, int(value))
    if field is Field.CLASS:
        return _shows_class(value, owners)
    if field is Field.FILENAME:
        pattern = value.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")
        return pictures.c.name.like(pattern, escape="\\")
    is_labelled = pictures.c.mask_sha256.is_not(None)
    return is_labelled if value == "true" else not_(is_labelled)


def _has_term(kind: str, term: str) -> ColumnElement[bool]:
    having = select(picture_terms.c.picture_id).where(
        picture_terms.c.project_id == pictures.c.project_id, picture_terms.c.kind == kind, picture_terms.c.term == term
    )
    return pictures.c.id.in_(having)


def _shows_class(name: str, owners: dict[int, Project]) -> ColumnElement[bool]:
    """Ids of a class differ between projects."""
    ids = {
        row_id: project.class_map.names.index(name)
        for row_id, project in owners.items()
        if name in project.class_map.names
    }
    showing = [
        and_(pictures.c.project_id == row_id, _has_term(CLASS, str(class_id))) for row_id, class_id in ids.items()
    ]
    return or_(*showing) if showing else not_(true())
