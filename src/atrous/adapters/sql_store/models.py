"""Rows of published models."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, and_, insert, select
from sqlalchemy.exc import IntegrityError

from atrous.adapters.sql_store.database import SqlTable, utc
from atrous.adapters.sql_store.tables import models, projects, trainings, versions
from atrous.core.errors import ConflictError
from atrous.workspace.records import Model


class SqlModels(SqlTable):
    """Published models."""

    def add_model(self, model: Model) -> None:
        """Keep a new model.

        Raises:
            ConflictError: if its slug is taken.
        """
        row = {
            "workspace": model.workspace,
            "slug": model.slug,
            "project": model.project,
            "version": model.version,
            "training": model.training,
            "metrics": model.metrics,
            "created": model.created,
        }
        try:
            with self._write() as connection:
                connection.execute(insert(models).values(row))
        except IntegrityError as error:
            raise ConflictError(f"model {model.workspace}/{model.slug}: exists already") from error

    def find_model(self, workspace: str, slug: str) -> Model | None:
        """The model of this slug, or None."""
        with self._read() as connection:
            row = connection.execute(_select_models(workspace).where(models.c.slug == slug)).one_or_none()
        return _read_model(row) if row else None

    def list_models(self, workspace: str) -> list[Model]:
        """Oldest first, without those whose training, version or project is in the trash."""
        with self._read() as connection:
            rows = connection.execute(_select_models(workspace).order_by(models.c.id))
            return [_read_model(row) for row in rows]


def _select_models(workspace: str) -> Any:
    """Models that are not in the trash with what they were made from; one without such rows was uploaded."""
    project = and_(projects.c.workspace == models.c.workspace, projects.c.slug == models.c.project)
    version = and_(versions.c.project_id == projects.c.id, versions.c.number == models.c.version)
    return (
        select(models)
        .join(trainings, trainings.c.id == models.c.training)
        .outerjoin(projects, project)
        .outerjoin(versions, version)
        .where(
            models.c.workspace == workspace,
            trainings.c.deleted.is_(None),
            projects.c.deleted.is_(None),
            versions.c.deleted.is_(None),
        )
    )


def _read_model(row: Row[Any]) -> Model:
    return Model(
        workspace=row.workspace,
        slug=row.slug,
        project=row.project,
        version=row.version,
        training=row.training,
        created=utc(row.created),
        metrics=row.metrics,
    )
