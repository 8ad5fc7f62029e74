"""Rows of trainings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from atrous.adapters.sql_store.database import SqlTable, utc, utc_or_none
from atrous.adapters.sql_store.tables import evaluations, models, trainings
from atrous.workspace.records import Training, TrainingState


class SqlTrainings(SqlTable):
    """Trainings of versions. Those in the trash are found only where it says so."""

    def add_training(self, training: Training) -> None:
        """Keep a new training."""
        with self._write() as connection:
            connection.execute(insert(trainings).values(_write_training(training)))

    def find_training(self, workspace: str, training_id: str, *, deleted: bool = False) -> Training | None:
        """The training, or None; one in the trash if asked for."""
        statement = select(trainings).where(
            trainings.c.workspace == workspace, trainings.c.id == training_id, _is_deleted(deleted)
        )
        with self._read() as connection:
            row = connection.execute(statement).one_or_none()
        return _read_training(row) if row else None

    def set_training(self, training: Training) -> None:
        """Replace all that is kept of a training, in the trash or not."""
        with self._write() as connection:
            connection.execute(update(trainings).where(trainings.c.id == training.id).values(_write_training(training)))

    def list_trainings(self, workspace: str, project: str, version: int, *, deleted: bool = False) -> list[Training]:
        """Oldest first; those in the trash alone if asked for."""
        statement = (
            select(trainings)
            .where(
                trainings.c.workspace == workspace,
                trainings.c.project == project,
                trainings.c.version == version,
                _is_deleted(deleted),
            )
            .order_by(trainings.c.seq)
        )
        with self._read() as connection:
            return [_read_training(row) for row in connection.execute(statement)]

    def list_open_trainings(self) -> list[Training]:
        """Those that are queued or run, of all workspaces, oldest first."""
        states = [TrainingState.QUEUED.value, TrainingState.RUNNING.value]
        statement = select(trainings).where(trainings.c.state.in_(states), _is_deleted(False)).order_by(trainings.c.seq)
        with self._read() as connection:
            return [_read_training(row) for row in connection.execute(statement)]

    def remove_training(self, workspace: str, training_id: str) -> None:
        """Forget a training with its models and their evaluations, for good."""
        of_training = models.c.workspace == workspace, models.c.training == training_id
        with self._write() as connection:
            slugs = select(models.c.slug).where(*of_training)
            connection.execute(
                delete(evaluations).where(evaluations.c.workspace == workspace, evaluations.c.model.in_(slugs))
            )
            connection.execute(delete(models).where(*of_training))
            connection.execute(
                delete(trainings).where(trainings.c.workspace == workspace, trainings.c.id == training_id)
            )


def _is_deleted(deleted: bool) -> ColumnElement[bool]:
    return trainings.c.deleted.is_not(None) if deleted else trainings.c.deleted.is_(None)


def _write_training(training: Training) -> dict[str, Any]:
    return {
        "id": training.id,
        "workspace": training.workspace,
        "project": training.project,
        "version": training.version,
        "recipe": training.recipe,
        "state": training.state.value,
        "error": training.error,
        "created": training.created,
        "model_type": training.model_type,
        "started": training.started,
        "ended": training.ended,
        "epochs": [dict(epoch) for epoch in training.epochs],
        "deleted": training.deleted,
    }


def _read_training(row: Row[Any]) -> Training:
    return Training(
        id=row.id,
        workspace=row.workspace,
        project=row.project,
        version=row.version,
        recipe=row.recipe,
        state=TrainingState(row.state),
        created=utc(row.created),
        error=row.error,
        model_type=row.model_type,
        started=utc_or_none(row.started),
        ended=utc_or_none(row.ended),
        epochs=tuple(row.epochs),
        deleted=utc_or_none(row.deleted),
    )
