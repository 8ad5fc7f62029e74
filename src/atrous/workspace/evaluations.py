"""Evaluations: models scored on the pictures of their version that they were not trained on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, NotFoundError
from atrous.datasets.splits import Split
from atrous.workspace.jobs import add_job, find_last_job
from atrous.workspace.ports import EvaluationFilter
from atrous.workspace.records import EvaluationState, JobKind, JobState, ModelEvaluation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model

EVALUATION_ID_BYTES = 8
SCORED_SPLITS = (Split.VALID, Split.TEST)
# A threshold chosen on the pictures that it is then judged by flatters itself: test is for judging alone.
DECIDING_SPLIT = Split.VALID
BEST_THRESHOLD = "best_threshold"


def request_evaluation(ports: Ports, model: Model) -> ModelEvaluation:
    """Ask for a model to be scored; one that is asked for already, or done, is given as it is."""
    which = EvaluationFilter(model=model.slug)
    newest = next(iter(ports.store.list_evaluations(model.workspace, which, limit=1)), None)
    evaluation = settle_evaluation(ports, newest) if newest else None
    if evaluation is None or evaluation.state is EvaluationState.FAILED:
        evaluation = ModelEvaluation(
            id=secrets.token_hex(EVALUATION_ID_BYTES),
            workspace=model.workspace,
            project=model.project,
            version=model.version,
            model=model.slug,
            state=EvaluationState.RUNNING,
            created=ports.clock.now(),
        )
        ports.store.add_evaluation(evaluation)
    # A kill between the two leaves an evaluation without a job; whoever asks again puts that right.
    if evaluation.state is EvaluationState.RUNNING and _find_job(ports, evaluation) is None:
        add_job(ports, JobKind.EVALUATE, evaluation.workspace, evaluation.id)
    return evaluation


def find_evaluation(ports: Ports, workspace: str, evaluation_id: str) -> ModelEvaluation:
    """Find an evaluation by its id.

    Raises:
        NotFoundError: if this workspace has no such evaluation.
    """
    evaluation = ports.store.find_evaluation(workspace, evaluation_id)
    if evaluation is None:
        raise NotFoundError(f"evaluation {evaluation_id[:64]!r}: not found; `roboflow eval list` shows what there is")
    return settle_evaluation(ports, evaluation)


def list_evaluations(
    ports: Ports, workspace: str, which: EvaluationFilter | None = None, *, limit: int | None = None
) -> list[ModelEvaluation]:
    """Those that are meant, newest first."""
    for evaluation in ports.store.list_evaluations(workspace, EvaluationFilter(state=EvaluationState.RUNNING)):
        settle_evaluation(ports, evaluation)
    return ports.store.list_evaluations(workspace, which, limit=limit)


def settle_evaluation(ports: Ports, evaluation: ModelEvaluation) -> ModelEvaluation:
    """Let an evaluation fail whose job is over without having said so, as after too many kills."""
    if evaluation.state is not EvaluationState.RUNNING:
        return evaluation
    job = _find_job(ports, evaluation)
    if job is None or job.state not in {JobState.FAILED, JobState.CANCELLED}:
        return evaluation
    return fail_evaluation(ports, evaluation, job.error or f"its job was {job.state}; ask for it again")


def locate_details(ports: Ports, evaluation: ModelEvaluation) -> Path:
    """The file with all that there is to know of an evaluation, as `evaluation/kept.py` reads it.

    Raises:
        ConflictError: if it is not done.
    """
    match evaluation.state:
        case EvaluationState.DONE:
            return ports.blobs.path(evaluation.details_sha256)
        case EvaluationState.RUNNING:
            raise ConflictError(f"evaluation {evaluation.id}: is not done; wait until its status says so")
        case EvaluationState.FAILED:
            raise ConflictError(f"evaluation {evaluation.id}: failed ({evaluation.error}); train or evaluate again")


def fail_evaluation(ports: Ports, evaluation: ModelEvaluation, error: str) -> ModelEvaluation:
    """Record why an evaluation cannot be had."""
    failed = replace(evaluation, state=EvaluationState.FAILED, error=error)
    ports.store.set_evaluation(failed)
    return failed


def finish_evaluation(
    ports: Ports, evaluation: ModelEvaluation, details: Path, summary: Mapping[str, Any], best_threshold: float | None
) -> ModelEvaluation:
    """Keep what was found, and let the model be served at its best threshold from now on, if one was found."""
    done = replace(
        evaluation,
        state=EvaluationState.DONE,
        summary=summary,
        details_sha256=ports.blobs.put_file(details),
        error=None,
    )
    if best_threshold is not None:
        ports.store.add_metrics(evaluation.workspace, evaluation.model, {BEST_THRESHOLD: best_threshold})
    ports.store.set_evaluation(done)
    return done


def find_best_threshold(model: Model) -> float | None:
    """The threshold that served a model best on the valid pictures, 0 to 1; None before its evaluation."""
    threshold = model.metrics.get(BEST_THRESHOLD)
    return float(threshold) if isinstance(threshold, int | float) and 0 <= threshold <= 1 else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model beside others of its version.

    Attributes:
        model: `workspace/slug`.
        metrics: by the names that clients use; None where there is no such figure.
        latency_ms: median over the pictures it was scored on.
        on_frontier: whether no other model is as good and as fast, and better in one of the two.
        reason: why it cannot be compared; empty if it can.
    """

    model: str
    metrics: Mapping[str, float | None]
    latency_ms: float | None
    on_frontier: bool = False
    reason: str = ""


def compare_models(ports: Ports, workspace: str, project: str, version: int, metric: str) -> list[Candidate]:
    """The models of a version by one metric and their latency, oldest first.

    Raises:
        NotFoundError: if this workspace has no such version.
    """
    if ports.store.find_version(workspace, project, version) is None:
        raise NotFoundError(f"version {project}/{version}: does not exist; `roboflow version list` shows what there is")
    newest: dict[str, ModelEvaluation] = {}
    for evaluation in list_evaluations(ports, workspace, EvaluationFilter(project=project, version=version)):
        newest.setdefault(evaluation.model, evaluation)
    models = [
        model for model in ports.store.list_models(workspace) if (model.project, model.version) == (project, version)
    ]
    candidates = [_make_candidate(model, newest.get(model.slug), metric) for model in models]
    return [replace(one, on_frontier=_is_on_frontier(one, candidates, metric)) for one in candidates]


def _make_candidate(model: Model, evaluation: ModelEvaluation | None, metric: str) -> Candidate:
    name = f"{model.workspace}/{model.slug}"
    if evaluation is None:
        return Candidate(name, {}, None, reason="no evaluation")
    if evaluation.state is not EvaluationState.DONE:
        return Candidate(name, {}, None, reason=f"evaluation {evaluation.state}")
    metrics, latency_ms = evaluation.summary["metrics"], evaluation.summary["medianLatencyMs"]
    reason = "" if metrics.get(metric) is not None else f"no {metric}"
    return Candidate(name, metrics, latency_ms, reason=reason)


def _is_on_frontier(one: Candidate, others: Iterable[Candidate], metric: str) -> bool:
    return not one.reason and not any(_beats(other, one, metric) for other in others if not other.reason)


def _beats(one: Candidate, other: Candidate, metric: str) -> bool:
    ones, others = ((candidate.metrics[metric] or 0.0, -(candidate.latency_ms or 0.0)) for candidate in (one, other))
    return ones != others and all(a >= b for a, b in zip(ones, others, strict=True))


def _find_job(ports: Ports, evaluation: ModelEvaluation) -> Job | None:
    return find_last_job(ports, JobKind.EVALUATE, evaluation.workspace, evaluation.id)
