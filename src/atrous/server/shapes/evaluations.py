"""An evaluation as the clients read it; shares are 0 to 1, and null where there is nothing to divide by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from atrous.workspace.records import EvaluationState

if TYPE_CHECKING:
    from datetime import datetime

    from atrous.workspace.evaluations import Candidate
    from atrous.workspace.records import ModelEvaluation


class SummaryShape(BaseModel):
    """The figures on `split` at `confidenceThreshold`; `mAP` is for boxes, which there are none of here.

    `mIoUInterval` is low and high of its 95 % interval over pictures; null for fewer than two and old evaluations.
    """

    mAP: None
    mIoU: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    split: str
    confidenceThreshold: float
    medianLatencyMs: float
    mIoUInterval: list[float] | None


class EvaluationShape(BaseModel):
    """An evaluation; `modelId` is `workspace/model-slug`, `project` and `versionId` are what it was trained on."""

    model_config = ConfigDict(protected_namespaces=())

    evalId: str
    status: Literal["running", "done", "failed"]
    project: str
    versionId: str
    modelId: str
    createdAt: str


class OneEvaluationShape(EvaluationShape):
    """The same with its figures once it is done, or with why it failed."""

    summary: SummaryShape | None = None
    failure: str | None = None


class CandidateShape(BaseModel):
    """A model beside others; `onFrontier` if no other is as good and as fast, and better in one of the two."""

    model_config = ConfigDict(protected_namespaces=())

    modelId: str
    metrics: dict[str, float | None]
    medianLatencyMs: float | None
    onFrontier: bool
    exclusionReason: str | None


def shape_evaluation(evaluation: ModelEvaluation) -> dict[str, Any]:
    """The values of an EvaluationShape."""
    return {
        "evalId": evaluation.id,
        "status": evaluation.state.value,
        "project": evaluation.project,
        "versionId": str(evaluation.version),
        "modelId": f"{evaluation.workspace}/{evaluation.model}",
        "createdAt": shape_time(evaluation.created),
    }


def shape_one_evaluation(evaluation: ModelEvaluation) -> dict[str, Any]:
    """The values of a OneEvaluationShape."""
    shape = shape_evaluation(evaluation)
    match evaluation.state:
        case EvaluationState.RUNNING:
            return shape
        case EvaluationState.FAILED:
            return shape | {"failure": evaluation.error}
        case EvaluationState.DONE:
            summary = evaluation.summary
            figures = {
                "split": summary["split"],
                "confidenceThreshold": summary["threshold"],
                "medianLatencyMs": summary["medianLatencyMs"],
                "mIoUInterval": summary.get("interval"),
            }
            return shape | {"summary": {"mAP": None} | summary["metrics"] | figures}


def shape_candidate(candidate: Candidate) -> dict[str, Any]:
    """The values of a CandidateShape."""
    return {
        "modelId": candidate.model,
        "metrics": dict(candidate.metrics),
        "medianLatencyMs": candidate.latency_ms,
        "onFrontier": candidate.on_frontier,
        "exclusionReason": candidate.reason or None,
    }


def shape_time(moment: datetime) -> str:
    """In UTC, to the millisecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
