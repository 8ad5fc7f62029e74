"""Rows of pictures, of the terms they are searched by, and of what belongs to their uploads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, bindparam, case, delete, func, insert, select, update

from atrous.adapters.sql_store.database import SqlTable, insert_or_ignore, utc
from atrous.adapters.sql_store.projects import find_project_id, read_project
from atrous.adapters.sql_store.tables import annotation_jobs, held_masks, picture_terms, pictures, projects
from atrous.core.sizes import Size
from atrous.datasets.splits import Split, SplitRule
from atrous.workspace.ports import BatchCounts, PictureCounts
from atrous.workspace.records import AnnotationJob, HeldMask, Picture, Project, make_picture_id
from atrous.workspace.search import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# SQLite takes at most 32,766 values in a statement, PostgreSQL's drivers about as many.
IDS_AT_ONCE = 5000
MAX_TERM_LENGTH = 512
TAG, CLASS, METADATA = "tag", "class", "metadata"
# Stands for None, which databases sort in ways of their own.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class SqlPictures(SqlTable):
    """Pictures of projects."""

    def add_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> int:
        """Keep pictures whose image is not in the project yet; give how many were new."""
        if not pictures:
            return 0
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project, locked=True)
            statement = insert_or_ignore(connection, _pictures, "project_id", "image_sha256").returning(_pictures.c.id)
            new: dict[int, Picture] = {}
            for picture in pictures:
                row = _write_picture(picture) | {"project_id": project_id, "public_id": picture.id or make_picture_id()}
                row_id = connection.scalar(statement, row)
                if row_id is not None:
                    new[row_id] = picture
            _add_terms(connection, project_id, new)
        return len(new)

    def update_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> None:
        """Replace all that is kept of pictures but their ids; they are found in the project by their image."""
        if not pictures:
            return
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project, locked=True)
            rows = [_write_picture(picture) | _key_of(project_id, picture) for picture in pictures]
            connection.execute(_update_picture, rows)
            ids = _find_rows(connection, project_id, [picture.image_sha256 for picture in pictures])
            changed = {ids[picture.image_sha256]: picture for picture in pictures if picture.image_sha256 in ids}
            _remove_terms(connection, list(changed))
            _add_terms(connection, project_id, changed)

    def change_picture(self, workspace: str, picture_id: str, change: Callable[[Picture], Picture]) -> Picture | None:
        """Replace all that is kept of a picture but its id by what `change` makes of it; None if there is none.

        Nobody else changes it meanwhile, so nothing of what others wrote is lost.
        """
        statement = _select_picture(workspace, picture_id).with_for_update(of=_pictures)
        with self._write() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            picture = change(read_picture(row))
            connection.execute(update(_pictures).where(_pictures.c.id == row.id).values(_write_picture(picture)))
            _remove_terms(connection, [row.id])
            _add_terms(connection, row.project_id, {row.id: picture})
        return picture

    def change_pictures(
        self, workspace: str, project: str, images: Sequence[str], change: Callable[[Picture], Picture]
    ) -> None:
        """The same for pictures of a project, all or none, found by their images; those that are gone stay so."""
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project)
            changed: dict[int, Picture] = {}
            for some in _slice(images):
                chosen = _pictures.c.project_id == project_id, _pictures.c.image_sha256.in_(some)
                for row in connection.execute(select(_pictures).where(*chosen).with_for_update()).all():
                    changed[row.id] = change(read_picture(row))
            if not changed:
                return
            rows = [_write_picture(picture) | _key_of(project_id, picture) for picture in changed.values()]
            connection.execute(_update_picture, rows)
            _remove_terms(connection, list(changed))
            _add_terms(connection, project_id, changed)

    def remove_pictures(self, workspace: str, project: str, ids: Sequence[str]) -> int:
        """Take pictures out of a project; give how many were there."""
        removed = 0
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project, locked=True)
            for some in _slice(ids):
                chosen = _pictures.c.project_id == project_id, _pictures.c.public_id.in_(some)
                rows = select(_pictures.c.id).where(*chosen)
                connection.execute(delete(picture_terms).where(picture_terms.c.picture_id.in_(rows)))
                removed += connection.execute(delete(_pictures).where(*chosen)).rowcount
        return removed

    def list_pictures(self, workspace: str, project: str) -> list[Picture]:
        """In order of name, then of image hash."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(_pictures)
                .where(_pictures.c.project_id == project_id)
                .order_by(_pictures.c.name, _pictures.c.image_sha256)
            )
            return [read_picture(row) for row in rows]

    def find_picture(self, workspace: str, picture_id: str) -> tuple[Project, Picture] | None:
        """A picture by its id, in whichever project of the workspace it is."""
        with self._read() as connection:
            row = connection.execute(_select_picture(workspace, picture_id)).one_or_none()
            if row is None:
                return None
            owner = connection.execute(select(projects).where(projects.c.id == row.project_id)).one()
        return read_project(owner), read_picture(row)

    def find_image(self, workspace: str, project: str, image_sha256: str) -> Picture | None:
        """A picture by its image."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            row = connection.execute(
                select(_pictures).where(_pictures.c.project_id == project_id, _pictures.c.image_sha256 == image_sha256)
            ).one_or_none()
        return read_picture(row) if row else None

    def list_named(self, workspace: str, project: str, names: Sequence[str]) -> list[Picture]:
        """The pictures that have one of these names, of which there may be at most a few hundred; oldest first."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(_pictures)
                .where(_pictures.c.project_id == project_id, _pictures.c.name.in_(names))
                .order_by(_pictures.c.id)
            )
            return [read_picture(row) for row in rows]

    def count_pictures(self, workspace: str, project: str) -> PictureCounts:
        """How many there are, without looking at each."""
        unlabelled = func.sum(case((_pictures.c.mask_sha256.is_(None), 1), else_=0))
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            by_split = connection.execute(
                select(_pictures.c.split, func.count(), unlabelled)
                .where(_pictures.c.project_id == project_id)
                .group_by(_pictures.c.split)
            ).all()
            by_class = connection.execute(
                select(picture_terms.c.term, func.count())
                .where(picture_terms.c.project_id == project_id, picture_terms.c.kind == CLASS)
                .group_by(picture_terms.c.term)
            ).all()
        return PictureCounts(
            splits={Split(split): count for split, count, _ in by_split},
            unlabelled=sum(int(count) for *_, count in by_split),
            classes={int(class_id): count for class_id, count in by_class},
        )

    def list_batches(self, workspace: str, project: str) -> list[BatchCounts]:
        """The named batches, oldest first."""
        first = func.min(_pictures.c.created)
        unlabelled = func.sum(case((_pictures.c.mask_sha256.is_(None), 1), else_=0))
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(_pictures.c.batch, func.count(), unlabelled, first)
                .where(_pictures.c.project_id == project_id, _pictures.c.batch != "")
                .group_by(_pictures.c.batch)
                .order_by(first, _pictures.c.batch)
            ).all()
        return [BatchCounts(name, count, int(empty), _read_moment(created)) for name, count, empty, created in rows]

    def hold_mask(self, workspace: str, project: str, mask: HeldMask) -> None:
        """Keep a mask until its picture comes; a newer one of the same name replaces it."""
        with self._write() as connection:
            project_id = find_project_id(connection, workspace, project, locked=True)
            connection.execute(delete(held_masks).where(*_place_of_mask(project_id, mask.batch, mask.stem)))
            row = {"stem": mask.stem, "batch": mask.batch, "sha256": mask.sha256, "created": mask.created}
            statement = insert_or_ignore(connection, held_masks, "project_id", "batch", "stem")
            connection.execute(statement.values(row | {"project_id": project_id}))

    def find_held_mask(self, workspace: str, project: str, batch: str, stem: str) -> HeldMask | None:
        """A mask that waits, or None."""
        with self._read() as connection:
            place = _place_of_mask(find_project_id(connection, workspace, project), batch, stem)
            row = connection.execute(select(held_masks).where(*place)).one_or_none()
        return HeldMask(row.batch, row.stem, row.sha256, utc(row.created)) if row else None

    def take_mask(self, workspace: str, project: str, batch: str, stem: str) -> HeldMask | None:
        """Give and forget a mask."""
        with self._write() as connection:
            place = _place_of_mask(find_project_id(connection, workspace, project, locked=True), batch, stem)
            row = connection.execute(select(held_masks).where(*place)).one_or_none()
            connection.execute(delete(held_masks).where(*place))
        return HeldMask(row.batch, row.stem, row.sha256, utc(row.created)) if row else None

    def list_held_masks(self, workspace: str, project: str) -> list[HeldMask]:
        """Oldest first."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(held_masks).where(held_masks.c.project_id == project_id).order_by(held_masks.c.created)
            )
            return [HeldMask(row.batch, row.stem, row.sha256, utc(row.created)) for row in rows]

    def add_annotation_job(self, job: AnnotationJob) -> None:
        """Keep a new annotation job."""
        row = {
            "id": job.id,
            "name": job.name,
            "batch": job.batch,
            "pictures": job.pictures,
            "labeler": job.labeler,
            "reviewer": job.reviewer,
            "instructions": job.instructions,
            "created": job.created,
        }
        with self._write() as connection:
            project_id = find_project_id(connection, job.workspace, job.project)
            connection.execute(insert(annotation_jobs).values(row | {"project_id": project_id}))

    def list_annotation_jobs(self, workspace: str, project: str) -> list[AnnotationJob]:
        """Oldest first."""
        with self._read() as connection:
            project_id = find_project_id(connection, workspace, project)
            rows = connection.execute(
                select(annotation_jobs)
                .where(annotation_jobs.c.project_id == project_id)
                .order_by(annotation_jobs.c.seq)
            ).all()
        return [
            AnnotationJob(
                id=row.id,
                workspace=workspace,
                project=project,
                name=row.name,
                batch=row.batch,
                pictures=row.pictures,
                labeler=row.labeler,
                reviewer=row.reviewer,
                instructions=row.instructions,
                created=utc(row.created),
            )
            for row in rows
        ]


# Methods have arguments of the table's name.
_pictures = pictures
_update_picture = update(pictures).where(
    pictures.c.project_id == bindparam("of_project"), pictures.c.image_sha256 == bindparam("of_image")
)


def list_terms(picture: Picture) -> list[tuple[str, str]]:
    """Kind and term of all that a picture is searched by."""
    terms = [(TAG, tag) for tag in picture.tags]
    terms += [(CLASS, str(class_id)) for class_id in picture.class_pixels]
    for name, value in picture.metadata.items():
        terms += [(METADATA, name), (METADATA, f"{name}={as_text(value)}")]
    return list(dict.fromkeys((kind, cut_term(term)) for kind, term in terms))


def cut_term(term: str) -> str:
    """As much of a term as is kept."""
    return term[:MAX_TERM_LENGTH]


def as_moment(created: datetime | None) -> datetime:
    """When a picture came, as it is kept."""
    return created or LONG_AGO


def read_picture(row: Row[Any]) -> Picture:
    """The picture of a row with all columns of its table."""
    return Picture(
        name=row.name,
        image_sha256=row.image_sha256,
        mask_sha256=row.mask_sha256,
        split=Split(row.split),
        size=Size(height=row.height, width=row.width),
        class_pixels={int(class_id): pixels for class_id, pixels in row.class_pixels.items()},
        # SQLite kept an empty text, no bytes, in rows from before there were looks.
        look=row.look or b"",
        source_sha256=row.source_sha256,
        pending=SplitRule(row.pending) if row.pending else None,
        id=row.public_id,
        batch=row.batch,
        annotation_job=row.annotation_job,
        tags=tuple(row.tags),
        metadata=row.metadata,
        created=_read_moment(row.created),
    )


def _add_terms(connection: Connection, project_id: int, pictures: Mapping[int, Picture]) -> None:
    rows = [
        {"project_id": project_id, "kind": kind, "term": term, "picture_id": row_id}
        for row_id, picture in pictures.items()
        for kind, term in list_terms(picture)
    ]
    if rows:
        connection.execute(insert(picture_terms), rows)


def _remove_terms(connection: Connection, row_ids: Sequence[int]) -> None:
    for some in _slice(row_ids):
        connection.execute(delete(picture_terms).where(picture_terms.c.picture_id.in_(some)))


def _select_picture(workspace: str, picture_id: str) -> Select[Any]:
    return (
        select(_pictures)
        .join(projects)
        .where(projects.c.workspace == workspace, projects.c.deleted.is_(None), _pictures.c.public_id == picture_id)
    )


def _read_moment(created: datetime) -> datetime | None:
    moment = utc(created)
    return None if moment == LONG_AGO else moment


def _find_rows(connection: Connection, project_id: int, images: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _slice(images):
        statement = select(_pictures.c.image_sha256, _pictures.c.id).where(
            _pictures.c.project_id == project_id, _pictures.c.image_sha256.in_(some)
        )
        found |= {row.image_sha256: row.id for row in connection.execute(statement)}
    return found


def _slice(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + IDS_AT_ONCE] for start in range(0, len(values), IDS_AT_ONCE))


def _key_of(project_id: int, picture: Picture) -> dict[str, Any]:
    return {"of_project": project_id, "of_image": picture.image_sha256}


def _place_of_mask(project_id: int, batch: str, stem: str) -> tuple[Any, ...]:
    return held_masks.c.project_id == project_id, held_masks.c.batch == batch, held_masks.c.stem == stem


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
        "batch": picture.batch,
        "annotation_job": picture.annotation_job,
        "tags": list(picture.tags),
        "metadata": dict(picture.metadata),
        "created": as_moment(picture.created),
    }
