"""Rows of evaluations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select, update

from atrous.adapters.sql_store.database import MAX_INTEGER, SqlTable, utc
from atrous.adapters.sql_store.models import select_models
from atrous.adapters.sql_store.tables import evaluations, models
from atrous.workspace.ports import EvaluationFilter
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
        """The evaluation, or None; those of models in the trash are not found."""
        statement = _select_evaluations(workspace).where(evaluations.c.id == evaluation_id)
        with self._read() as connection:
            row = connection.execute(statement).one_or_none()
        return _read_evaluation(row) if row else None

    def list_evaluations(
        self, workspace: str, which: EvaluationFilter | None = None, *, limit: int | None = None
    ) -> list[ModelEvaluation]:
        """Newest first; all if no limit is given. Those of models in the trash are left out."""
        which = which or EvaluationFilter()
        wanted = {name: value for name, value in asdict(which).items() if value is not None}
        if wanted.get("version", 0) > MAX_INTEGER:
            return []
        statement = (
            _select_evaluations(workspace)
            .where(*(evaluations.c[name] == value for name, value in wanted.items()))
            .order_by(evaluations.c.seq.desc())
            .limit(limit)
        )
        with self._read() as connection:
            return [_read_evaluation(row) for row in connection.execute(statement)]


def _select_evaluations(workspace: str) -> Any:
    slugs = select_models(workspace).with_only_columns(models.c.slug)
    return select(evaluations).where(evaluations.c.workspace == workspace, evaluations.c.model.in_(slugs))


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
