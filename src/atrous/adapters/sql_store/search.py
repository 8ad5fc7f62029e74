"""Search for pictures in SQL."""

from __future__ import annotations

from operator import ge, le
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, false, func, not_, or_, select, true, tuple_

from atrous.adapters.sql_store.database import SqlTable
from atrous.adapters.sql_store.pictures import CLASS, METADATA, TAG, as_moment, cut_term, read_picture
from atrous.adapters.sql_store.projects import read_project
from atrous.adapters.sql_store.tables import picture_terms, pictures, projects
from atrous.workspace.search import (
    EVERYTHING,
    NOTHING,
    And,
    Condition,
    Expression,
    Field,
    Mark,
    Not,
    Or,
    Order,
    Search,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atrous.workspace.records import Picture, Project

# What the database compares is a 32-bit number on PostgreSQL; no picture has a side as long.
MAX_SIDE = 2**31 - 1
TERM_KINDS = {Field.TAG: TAG, Field.METADATA: METADATA, Field.CLASS: CLASS}
COLUMNS: dict[Field, ColumnElement[Any]] = {
    Field.SPLIT: pictures.c.split,
    Field.JOB: pictures.c.annotation_job,
    Field.BATCH: pictures.c.batch,
    Field.ID: pictures.c.public_id,
}
BOUNDS: dict[Field, tuple[ColumnElement[Any], Callable[[Any, int], ColumnElement[bool]]]] = {
    Field.MIN_WIDTH: (pictures.c.width, ge),
    Field.MAX_WIDTH: (pictures.c.width, le),
    Field.MIN_HEIGHT: (pictures.c.height, ge),
    Field.MAX_HEIGHT: (pictures.c.height, le),
}
BY_TIME, BY_NAME = (pictures.c.created, pictures.c.public_id), (pictures.c.name, pictures.c.public_id)
# Columns that an index holds together, and whether the last comes first.
ORDERS: dict[Order, tuple[tuple[ColumnElement[Any], ColumnElement[Any]], bool]] = {
    Order.NEWEST: (BY_TIME, True),
    Order.OLDEST: (BY_TIME, False),
    Order.NAME: (BY_NAME, False),
    Order.NAME_DOWN: (BY_NAME, True),
}


class SqlSearch(SqlTable):
    """Pictures by what they are searched by."""

    def search_pictures(self, workspace: str, search: Search) -> tuple[list[tuple[Project, Picture]], int]:
        """A page of what is searched for, and how many there are in all."""
        with self._read() as connection:
            rows = connection.execute(
                select(projects).where(projects.c.workspace == workspace, projects.c.deleted.is_(None))
            )
            owners = {row.id: read_project(row) for row in rows if search.project in {None, row.slug}}
            where = _translate_for(search.where, owners)
            total = connection.scalar(select(func.count()).select_from(pictures).where(where)) or 0
            found = connection.execute(_select_page(search, where)) if total and search.limit else ()
            return [(owners[row.project_id], read_picture(row)) for row in found], total


def _select_page(search: Search, where: ColumnElement[bool]) -> Select[Any]:
    """Rows are read after the page is cut: what it is cut by lies in an index."""
    columns, is_down = ORDERS[search.order]
    order = [column.desc() if is_down else column for column in columns]
    if search.after is not None:
        where = and_(where, _lies_after(search.after, columns, is_down=is_down))
    page = select(pictures.c.id).where(where).order_by(*order).offset(search.offset).limit(search.limit)
    return select(pictures).where(pictures.c.id.in_(page)).order_by(*order)


def _lies_after(mark: Mark, columns: tuple[ColumnElement[Any], ...], *, is_down: bool) -> ColumnElement[bool]:
    value = mark.value if isinstance(mark.value, str) else as_moment(mark.value)
    place = tuple_(
        *(bindparam(None, part, type_=column.type) for part, column in zip((value, mark.id), columns, strict=True))
    )
    return tuple_(*columns) < place if is_down else tuple_(*columns) > place


def _translate_for(part: Expression, owners: dict[int, Project]) -> ColumnElement[bool]:
    """What projects and their classes decide is decided here, so that the rest can be asked of an index."""
    groups: dict[Expression, list[int]] = {}
    for row_id, project in owners.items():
        groups.setdefault(_narrow(part, project), []).append(row_id)
    groups.pop(NOTHING, None)
    return or_(false(), *(and_(_is_in(pictures, ids), _translate(one, ids)) for one, ids in groups.items()))


def _narrow(part: Expression, project: Project) -> Expression:
    """The expression for pictures of one project: without its name, and with the ids of its classes."""
    match part:
        case And(parts):
            return _join_and([_narrow(one, project) for one in parts])
        case Or(parts):
            return _join_or([_narrow(one, project) for one in parts])
        case Not(inner):
            return _turn(_narrow(inner, project))
        case Condition(Field.PROJECT, slug):
            return EVERYTHING if slug == project.slug else NOTHING
        case Condition(Field.CLASS, name):
            names = [known.casefold() for known in project.class_map.names]
            wanted = name.casefold()
            return Condition(Field.CLASS, str(names.index(wanted))) if wanted in names else NOTHING
        case Condition():
            return part


def _join_and(parts: list[Expression]) -> Expression:
    if NOTHING in parts:
        return NOTHING
    left = tuple(part for part in parts if part != EVERYTHING)
    return left[0] if len(left) == 1 else And(left)


def _join_or(parts: list[Expression]) -> Expression:
    if EVERYTHING in parts:
        return EVERYTHING
    left = tuple(part for part in parts if part != NOTHING)
    return left[0] if len(left) == 1 else Or(left)


def _turn(part: Expression) -> Expression:
    if part == NOTHING:
        return EVERYTHING
    return NOTHING if part == EVERYTHING else Not(part)


def _translate(part: Expression, project_ids: Sequence[int]) -> ColumnElement[bool]:
    match part:
        case And(parts):
            return and_(true(), *(_translate(one, project_ids) for one in parts))
        case Or(parts):
            return or_(false(), *(_translate(one, project_ids) for one in parts))
        case Not(inner):
            return not_(_translate(inner, project_ids))
        case Condition():
            return _translate_condition(part, project_ids)


def _translate_condition(condition: Condition, project_ids: Sequence[int]) -> ColumnElement[bool]:
    field, value = condition.field, condition.value
    if field in TERM_KINDS:
        return _has_term(TERM_KINDS[field], value, project_ids)
    if field in COLUMNS:
        return COLUMNS[field] == value
    if field in BOUNDS:
        column, compare = BOUNDS[field]
        return compare(column, min(int(value), MAX_SIDE))
    if field is Field.FILENAME:
        pattern = value.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")
        return pictures.c.name.ilike(pattern, escape="\\")
    is_labelled = pictures.c.mask_sha256.is_not(None)
    return is_labelled if value == "true" else not_(is_labelled)


def _has_term(kind: str, term: str, project_ids: Sequence[int]) -> ColumnElement[bool]:
    having = select(picture_terms.c.picture_id).where(
        _is_in(picture_terms, project_ids), picture_terms.c.kind == kind, picture_terms.c.term == cut_term(term)
    )
    return pictures.c.id.in_(having)


def _is_in(table: Any, project_ids: Sequence[int]) -> ColumnElement[bool]:
    return table.c.project_id == project_ids[0] if len(project_ids) == 1 else table.c.project_id.in_(project_ids)
