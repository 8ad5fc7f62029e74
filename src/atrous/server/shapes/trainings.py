"""Trainings and models as the clients read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from atrous.training.model_types import name_model_type
from atrous.workspace.records import TrainingState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.workspace.records import Model, Training

JOB_TYPE = "training"
FINISHED = "finished"


class ModelShape(BaseModel):
    """A model of a training; `modelId` is `workspace/model-slug`, `metrics.mIoU` is on the split valid, 0 to 1."""

    model_config = ConfigDict(protected_namespaces=())

    modelId: str
    modelType: str
    metrics: dict[str, Any]


class TrainingShape(BaseModel):
    """A training.

    `status` is queued, running, stopped, failed, cancelled or finished. `start` and `end` are seconds since 1970.
    `modelGroup` is what lists its models. `epochs` are the figures of the finished epochs, `error` why it failed.
    """

    model_config = ConfigDict(protected_namespaces=())

    id: str
    trainingId: str
    versionId: str
    status: str
    start: float | None
    end: float | None
    jobType: str
    modelType: str
    modelGroup: str
    modelCount: int
    modelIds: list[str]
    models: list[ModelShape]
    epochs: list[dict[str, Any]]
    error: str | None


class StartedShape(BaseModel):
    """A training in the queue; `jobId` is the same as `trainingId`."""

    model_config = ConfigDict(protected_namespaces=())

    trainingId: str
    status: str
    jobId: str
    modelType: str
    modelGroup: str


class WishShape(BaseModel):
    """It was asked for."""

    success: bool
    trainingId: str
    status: str


def shape_training(training: Training, models: Sequence[Model]) -> dict[str, Any]:
    """The values of a TrainingShape; `models` may hold those of other trainings too."""
    own = [model for model in models if model.training == training.id]
    return {
        "id": training.id,
        "trainingId": training.id,
        "versionId": f"{training.workspace}/{training.project}/{training.version}",
        "status": name_state(training.state),
        "start": _find_start(training),
        "end": training.ended.timestamp() if training.ended else None,
        "jobType": JOB_TYPE,
        "modelType": name_model_type(training.recipe),
        "modelGroup": training.id,
        "modelCount": len(own),
        "modelIds": [f"{model.workspace}/{model.slug}" for model in own],
        "models": [shape_model(training, model) for model in own],
        "epochs": [dict(epoch) for epoch in training.epochs],
        "error": training.error,
    }


def shape_model(training: Training, model: Model) -> dict[str, Any]:
    """The values of a ModelShape."""
    metrics = {"mIoU": model.metrics.get("miou"), "servedMIoU": model.metrics.get("served_miou")}
    metrics |= {"int8MIoU": model.metrics.get("int8_miou")}
    return {
        "modelId": f"{model.workspace}/{model.slug}",
        "modelType": name_model_type(training.recipe),
        "metrics": {name: value for name, value in metrics.items() if value is not None},
    }


def name_state(state: TrainingState) -> str:
    """The word that clients wait for."""
    return FINISHED if state is TrainingState.DONE else state.value


def shape_started(training: Training) -> dict[str, Any]:
    """The values of a StartedShape."""
    return {
        "trainingId": training.id,
        "status": name_state(training.state),
        "jobId": training.id,
        "modelType": training.model_type,
        "modelGroup": training.id,
    }


def shape_wish(training: Training) -> dict[str, Any]:
    """The values of a WishShape."""
    return {"success": True, "trainingId": training.id, "status": name_state(training.state)}


def _find_start(training: Training) -> float | None:
    if training.state is TrainingState.QUEUED and training.started is None:
        return None
    # Trainings of older releases know only when they were asked for, which was when they began.
    return (training.started or training.created).timestamp()
