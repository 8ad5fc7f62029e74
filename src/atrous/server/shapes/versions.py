"""A version as the clients read it, with what was trained on it; they fail where a key is missing or null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from atrous.core.class_map import BACKGROUND_ID
from atrous.datasets.splits import Split
from atrous.datasets.version_settings import describe_preprocessing, write_settings
from atrous.server.shapes.projects import SplitCounts, shape_colours
from atrous.workspace.records import TrainingState, VersionState
from atrous.workspace.trainings import IN_FLIGHT

if TYPE_CHECKING:
    from atrous.workspace.projects import VersionFacts
    from atrous.workspace.records import Model, Training

STATUS_WORDS = {TrainingState.DONE: "finished"}


class VersionShape(BaseModel):
    """A version.

    `id` is `workspace/project/number`; `progress` is a share of 1; `preprocessing` and `augmentation` are the steps it
    was made by, and `notes` what to know of them; `exports` are the formats it is ready in; `error` tells why it could
    not be made. `model` is there once `project/number` can predict. `train` is about the newest training, with
    `results` once that is over, and `models` holds its epochs, `mAP` being mean IoU.
    """

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    created: float
    images: int
    splits: SplitCounts
    preprocessing: dict[str, Any]
    augmentation: dict[str, Any]
    notes: list[str]
    classes: list[str]
    colors: dict[str, str]
    exports: list[str]
    generating: bool
    progress: float


def shape_version(facts: VersionFacts) -> dict[str, Any]:
    """The values of a VersionShape."""
    return _shape_data(facts) | _shape_model(facts.model, facts.trainings) | _shape_training(facts)


def training_word(training: Training) -> str:
    """The state of a training in the clients' words; they wait for `finished` and `failed`."""
    return STATUS_WORDS.get(training.state, training.state.value)


def _shape_data(facts: VersionFacts) -> dict[str, Any]:
    version = facts.version
    steps = version.settings or write_settings(describe_preprocessing(version.preprocessing))
    content = {
        "id": f"{version.workspace}/{version.id}",
        "name": version.name or f"v{version.number}",
        "created": version.created.timestamp(),
        "images": sum(version.pictures.values()),
        "splits": {split.value: version.pictures.get(split, 0) for split in Split},
        "preprocessing": steps.get("preprocessing", {}),
        "augmentation": steps.get("augmentation", {}),
        "notes": steps.get("notes", []),
        "classes": [name for class_id, name in enumerate(version.class_map.names) if class_id != BACKGROUND_ID],
        "colors": shape_colours(version.class_map),
        # Clients wait for what is not listed, and fail where what is listed is not ready.
        "exports": list(facts.exports),
        "generating": version.state is VersionState.GENERATING,
        "progress": version.progress,
    }
    return content | ({"error": version.error} if version.error else {})


def _shape_model(model: Model | None, trainings: tuple[Training, ...]) -> dict[str, Any]:
    if model is None:
        return {}
    training = next((one for one in trainings if one.id == model.training), None)
    content: dict[str, Any] = {
        "id": str(model.version_id),
        "modelId": f"{model.workspace}/{model.slug}",
        "map": _percent(model.metrics.get("miou")),
        "mIoU": model.metrics.get("miou"),
        "end": model.created.timestamp(),
    }
    if training is not None:
        content |= {"start": (training.started or training.created).timestamp(), "modelType": training.model_type}
    return {"model": content}


def _shape_training(facts: VersionFacts) -> dict[str, Any]:
    if not facts.trainings:
        return {}
    training = facts.trainings[-1]
    content: dict[str, Any] = {
        "status": training_word(training),
        "trainingId": training.id,
        "modelType": training.model_type,
        "start": (training.started or training.created).timestamp(),
    }
    if training.ended:
        content["end"] = training.ended.timestamp()
    if training.error:
        content["error"] = training.error
    # Clients that find results stop waiting and take the training for good; of a failed one they read the status.
    if training.state not in {*IN_FLIGHT, TrainingState.FAILED}:
        content["results"] = _shape_results(training, facts.model)
    epochs = _shape_epochs(training)
    return {"train": content, "models": {"roboflow-train": {"epochs": epochs}} if epochs else {}}


def _shape_results(training: Training, model: Model | None) -> dict[str, Any]:
    has_model = model is not None and model.training == training.id
    return {"epochs": len(training.epochs), "mIoU": model.metrics.get("miou") if model and has_model else None}


def _shape_epochs(training: Training) -> list[dict[str, Any]]:
    """The epochs that were validated: clients read each one's score as a number."""
    return [
        {"epoch": epoch["epoch"], "mAP": epoch["miou"], "class_loss": epoch["loss"]}
        for epoch in training.epochs
        if epoch.get("miou") is not None
    ]


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)
