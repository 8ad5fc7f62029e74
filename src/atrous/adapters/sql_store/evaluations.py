"""Rows of evaluations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, insert, select, update

from atrous.adapters.sql_store.database import SqlTable, utc
from atrous.adapters.sql_store.tables import evaluations
from atrous.workspace.records import EvaluationState, ModelEvaluation


class SqlEvaluations(SqlTable):
    """Evaluations of models."""

    def add_evaluation(self, evaluation: ModelEvaluation) -> None:
        """Keep a new evaluation."""
        with self._write() as connection:
            connection.execute(insert(evaluations).values(_write_evaluation(evaluation)))

    def set_evaluation(self, evaluation: ModelEvaluation) -> None:
        """Replace all that is kept of an evaluation."""
        with self._write() as connection:
            connection.execute(
                update(evaluations).where(evaluations.c.id == evaluation.id).values(_write_evaluation(evaluation))
            )

    def find_evaluation(self, workspace: str, evaluation_id: str) -> ModelEvaluation | None:
        """The evaluation, or None."""
        place = evaluations.c.workspace == workspace, evaluations.c.id == evaluation_id
        with self._read() as connection:
            row = connection.execute(select(evaluations).where(*place)).one_or_none()
        return _read_evaluation(row) if row else None

    def list_evaluations(self, workspace: str) -> list[ModelEvaluation]:
        """Oldest first."""
        statement = select(evaluations).where(evaluations.c.workspace == workspace).order_by(evaluations.c.seq)
        with self._read() as connection:
            return [_read_evaluation(row) for row in connection.execute(statement)]


def _write_evaluation(evaluation: ModelEvaluation) -> dict[str, Any]:
    return {
        "id": evaluation.id,
        "workspace": evaluation.workspace,
        "project": evaluation.project,
        "version": evaluation.version,
        "model": evaluation.model,
        "state": evaluation.state.value,
        "summary": dict(evaluation.summary),
        "details_sha256": evaluation.details_sha256,
        "error": evaluation.error,
        "created": evaluation.created,
    }


def _read_evaluation(row: Row[Any]) -> ModelEvaluation:
    return ModelEvaluation(
        id=row.id,
        workspace=row.workspace,
        project=row.project,
        version=row.version,
        model=row.model,
        state=EvaluationState(row.state),
        created=utc(row.created),
        summary=row.summary,
        details_sha256=row.details_sha256,
        error=row.error,
    )
