"""Rows of published models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, and_, insert, select, update

from atrous.adapters.sql_store.database import SqlTable, utc
from atrous.adapters.sql_store.tables import models, projects, trainings, versions
from atrous.core.errors import ConflictError
from atrous.workspace.records import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.core.ids import VersionId
    from atrous.workspace.records import Training

# What the column holds; a caller may ask for any number.
MAX_VERSION = 2**31 - 1


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
        except ConflictError as error:
            raise ConflictError(f"model {model.workspace}/{model.slug}: exists already") from error

    def find_model(self, workspace: str, slug: str) -> Model | None:
        """The model of this slug, or None."""
        with self._read() as connection:
            row = connection.execute(select_models(workspace).where(models.c.slug == slug)).one_or_none()
        return _read_model(row) if row else None

    def find_version_model(self, workspace: str, version: VersionId) -> Model | None:
        """The first model of the oldest training of a version that has one, or None; trash does not count."""
        if version.number > MAX_VERSION:
            return None
        statement = (
            select_models(workspace)
            .where(models.c.project == version.project, models.c.version == version.number)
            .order_by(trainings.c.seq, models.c.id)
            .limit(1)
        )
        with self._read() as connection:
            row = connection.execute(statement).one_or_none()
        return _read_model(row) if row else None

    def find_training_model(self, training: Training) -> Model | None:
        """The first model of a training, or None; also while it is in the trash."""
        of_training = models.c.workspace == training.workspace, models.c.training == training.id
        with self._read() as connection:
            row = connection.execute(select(models).where(*of_training).order_by(models.c.id).limit(1)).one_or_none()
        return _read_model(row) if row else None

    def list_models(self, workspace: str) -> list[Model]:
        """Oldest first, without those whose training, version or project is in the trash."""
        with self._read() as connection:
            rows = connection.execute(select_models(workspace).order_by(models.c.id))
            return [_read_model(row) for row in rows]

    def add_metrics(self, workspace: str, slug: str, metrics: Mapping[str, Any]) -> None:
        """Put figures beside those of a model, in place of those of the same names, if there is such a model."""
        place = models.c.workspace == workspace, models.c.slug == slug
        with self._write() as connection:
            row = connection.execute(select(models.c.metrics).where(*place).with_for_update()).one_or_none()
            if row:
                connection.execute(update(models).where(*place).values(metrics=row.metrics | dict(metrics)))


def select_models(workspace: str) -> Any:
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
