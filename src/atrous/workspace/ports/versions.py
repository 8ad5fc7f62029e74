"""Versions, trainings, models and their evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atrous.core.ids import VersionId
    from atrous.workspace.records import EvaluationState, Model, ModelEvaluation, Training, Version


class VersionStore(Protocol):
    """Versions, numbered from 1 in each project. Those in the trash are found only where it says so."""

    def add_version(self, make: Callable[[int], Version], workspace: str, project: str) -> Version:
        """Keep what `make` gives for the next free number; no number is given twice."""
        ...

    def find_version(self, workspace: str, project: str, number: int) -> Version | None:
        """The version, or None."""
        ...

    def list_versions(self, workspace: str, project: str, *, deleted: bool = False) -> list[Version]:
        """In order of number; those in the trash alone if asked for."""
        ...

    def set_version(self, version: Version) -> None:
        """Replace all that is kept of a version, in the trash or not."""
        ...

    def remove_version(self, workspace: str, project: str, number: int) -> None:
        """Forget a version with its trainings, models and evaluations, for good; its number is not given again."""
        ...


class TrainingStore(Protocol):
    """Trainings of versions. Those in the trash are found only where it says so."""

    def add_training(self, training: Training) -> None:
        """Keep a new training."""
        ...

    def find_training(self, workspace: str, training_id: str, *, deleted: bool = False) -> Training | None:
        """The training, or None; one in the trash if asked for."""
        ...

    def set_training(self, training: Training) -> None:
        """Replace all that is kept of a training, in the trash or not."""
        ...

    def list_trainings(self, workspace: str, project: str, version: int, *, deleted: bool = False) -> list[Training]:
        """Oldest first; those in the trash alone if asked for."""
        ...

    def list_open_trainings(self) -> list[Training]:
        """Those that are queued or run, of all workspaces, oldest first."""
        ...

    def remove_training(self, workspace: str, training_id: str) -> None:
        """Forget a training with its models and their evaluations, for good."""
        ...


class ModelStore(Protocol):
    """Published models."""

    def add_model(self, model: Model) -> None:
        """Keep a new model. Raises ConflictError if its slug is taken."""
        ...

    def find_model(self, workspace: str, slug: str) -> Model | None:
        """The model of this slug, or None."""
        ...

    def find_version_model(self, workspace: str, version: VersionId) -> Model | None:
        """The first model of the oldest training of a version that has one, or None; trash does not count."""
        ...

    def find_training_model(self, training: Training) -> Model | None:
        """The first model of a training, or None; also while it is in the trash."""
        ...

    def list_models(self, workspace: str) -> list[Model]:
        """Oldest first, without those whose training, version or project is in the trash."""
        ...

    def add_metrics(self, workspace: str, slug: str, metrics: Mapping[str, Any]) -> None:
        """Put figures beside those of a model, in place of those of the same names, if there is such a model."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationFilter:
    """Which evaluations are meant; None is any."""

    project: str | None = None
    version: int | None = None
    model: str | None = None
    state: EvaluationState | None = None


class EvaluationStore(Protocol):
    """Evaluations of models. Those of models in the trash are not found."""

    def add_evaluation(self, evaluation: ModelEvaluation) -> None:
        """Keep a new evaluation."""
        ...

    def set_evaluation(self, evaluation: ModelEvaluation) -> None:
        """Replace all that is kept of an evaluation."""
        ...

    def find_evaluation(self, workspace: str, evaluation_id: str) -> ModelEvaluation | None:
        """The evaluation, or None."""
        ...

    def list_evaluations(
        self, workspace: str, which: EvaluationFilter | None = None, *, limit: int | None = None
    ) -> list[ModelEvaluation]:
        """Newest first; all if no limit is given."""
        ...
