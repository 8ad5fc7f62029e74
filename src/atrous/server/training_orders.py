"""What a client orders -> the recipe that is trained by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from atrous.core.errors import InvalidInputError
from atrous.datasets.splits import Split
from atrous.training.facts import COUNTED_PICTURES, UNKNOWN_DEVICE, describe_version
from atrous.training.model_types import ModelType, name_model_type, parse_model_type
from atrous.training.presets import derive_recipe
from atrous.training.template import check_value, read_template
from atrous.workspace.checkpoints import describe_checkpoint, find_checkpoint
from atrous.workspace.trainings import queue_training
from atrous.workspace.versions import find_version, list_some_samples

if TYPE_CHECKING:
    from atrous.core.ids import VersionId
    from atrous.training.facts import VersionFacts
    from atrous.training.presets import DerivedRecipe
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Training, Version

DEFAULT_MODEL_TYPE = "deeplabv3plus-sem"


class TrainingOrder(BaseModel):
    """A training as clients ask for it; whatever is left out has a default.

    `trainRecipe` goes before `epochs` and `speed`, which is a preset, `checkpoint` before its `encoder_weights`.
    """

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_type: Annotated[
        str | None, Field(validation_alias=AliasChoices("modelType", "model_type"), max_length=200)
    ] = None
    epochs: Annotated[int | None, Field(ge=1, le=100_000)] = None
    speed: Literal["fast", "accurate"] | None = None
    checkpoint: Annotated[str, Field(max_length=200)] | int | None = None
    train_recipe: Annotated[dict[str, Any] | None, Field(validation_alias="trainRecipe")] = None


def place_order(
    ports: Ports, workspace: str, version_id: VersionId, order: TrainingOrder, encoder_weights: str
) -> Training:
    """Put what a client orders into the queue.

    Raises:
        NotFoundError: if there is no such version.
        InvalidInputError: naming what of the order cannot be.
        ConflictError: if the version is not ready.
    """
    version = find_version(ports, workspace, version_id)
    recipe = plan_recipe(ports, version, order, encoder_weights).as_json()
    return queue_training(ports, version, recipe, model_type=name_model_type(recipe))


def plan_recipe(ports: Ports, version: Version, order: TrainingOrder, encoder_weights: str) -> DerivedRecipe:
    """Make a whole recipe of an order; what it leaves open is derived from the version.

    Args:
        ports: the world.
        version: what is trained on.
        order: what the client asks for.
        encoder_weights: what is started from where the order names nothing.

    Raises:
        InvalidInputError: naming what cannot be.
        ConflictError: if the version is not ready.
    """
    asked = parse_model_type(order.model_type or DEFAULT_MODEL_TYPE)
    start = _find_start(ports, version, order, asked)
    basis: dict[str, Any] = {"architecture": asked.architecture, "encoder_weights": encoder_weights}
    if order.speed:
        basis["preset"] = order.speed
    if asked.encoder:
        basis["encoder"] = asked.encoder
    if order.epochs is not None:
        basis["epochs"] = check_value("epochs", "epochs", order.epochs)
    chosen = basis | read_template(order.train_recipe or {}) | start
    return derive_recipe(chosen, _describe(ports, version), UNKNOWN_DEVICE)


def _describe(ports: Ports, version: Version) -> VersionFacts:
    counted = list_some_samples(ports, version, Split.TRAIN, COUNTED_PICTURES)
    return describe_version(version.preprocessing.size, version.pictures, counted, version.class_map)


def _find_start(ports: Ports, version: Version, order: TrainingOrder, asked: ModelType) -> dict[str, Any]:
    if order.checkpoint is None or order.checkpoint == "":
        return {}
    model = find_checkpoint(ports, version.workspace, version.project, str(order.checkpoint))
    start = describe_checkpoint(ports, model)
    fits = asked.architecture == start["architecture"] and asked.encoder in {None, start["encoder"]}
    if order.model_type and not fits:
        raise InvalidInputError(
            f"checkpoint {order.checkpoint}: is a {name_model_type(start)} and cannot start a {order.model_type}; "
            "leave out the model type or name another checkpoint"
        )
    return start
