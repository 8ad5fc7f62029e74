"""Rows of trainings."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from atrous.adapters.sql_store.database import SqlTable, utc
from atrous.adapters.sql_store.tables import trainings
from atrous.workspace.records import Training, TrainingState


class SqlTrainings(SqlTable):
    """Trainings of versions."""

    def add_training(self, training: Training) -> None:
        """Keep a new training."""
        row = {
            "id": training.id,
            "workspace": training.workspace,
            "project": training.project,
            "version": training.version,
            "recipe": training.recipe,
            "state": training.state.value,
            "error": training.error,
            "created": training.created,
        }
        with self._write() as connection:
            connection.execute(insert(trainings).values(row))

    def set_training_state(self, training_id: str, state: TrainingState, error: str | None) -> None:
        """Record where a training stands."""
        with self._write() as connection:
            connection.execute(
                update(trainings).where(trainings.c.id == training_id).values(state=state.value, error=error)
            )

    def list_trainings(self, workspace: str, project: str, version: int) -> list[Training]:
        """Oldest first."""
        statement = (
            select(trainings)
            .where(trainings.c.workspace == workspace, trainings.c.project == project, trainings.c.version == version)
            .order_by(trainings.c.seq)
        )
        with self._read() as connection:
            rows = connection.execute(statement).all()
        return [
            Training(
                id=row.id,
                workspace=row.workspace,
                project=row.project,
                version=row.version,
                recipe=row.recipe,
                state=TrainingState(row.state),
                error=row.error,
                created=utc(row.created),
            )
            for row in rows
        ]
