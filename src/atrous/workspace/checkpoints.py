"""Models that trainings start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.bundle.bundle import read_class_map
from atrous.bundle.layout import WEIGHTS_TORCH
from atrous.bundle.manifest import read_manifest
from atrous.core.errors import InvalidInputError, NotFoundError
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model

# Says in a recipe's `encoder_weights` that they are a model's, wherever its bundle lies by then.
PREFIX = "model:"
SIZES = ("encoder_depth", "decoder_channels", "norm")
SHOWN_LENGTH = 200


def find_checkpoint(ports: Ports, workspace: str, project: str, text: str) -> Model:
    """Find the model that `workspace/model-slug`, `project/version` or a version number of this project names.

    Raises:
        InvalidInputError: if there is none.
    """
    model_id = f"{project}/{text}" if text.isascii() and text.isdigit() else text
    try:
        return find_model(ports, workspace, model_id)
    except (InvalidInputError, NotFoundError):
        raise InvalidInputError(
            f"checkpoint {text[:SHOWN_LENGTH]!r}: is no model of this workspace; name one as WORKSPACE/MODEL, as "
            f"PROJECT/VERSION, or as a version number of {project}"
        ) from None


def describe_checkpoint(ports: Ports, model: Model) -> dict[str, Any]:
    """The choices of a recipe that must be as in the model for its weights to fit, the weights themselves included.

    Raises:
        NotFoundError: if its bundle is gone.
        InvalidBundleError: if its manifest is damaged.
    """
    manifest = read_manifest(ports.bundles.locate(model.workspace, model.slug))
    sizes = {name: manifest.recipe[name] for name in SIZES if name in manifest.recipe}
    weights = f"{PREFIX}{model.workspace}/{model.slug}"
    return {"architecture": manifest.architecture, "encoder": manifest.encoder, "encoder_weights": weights} | sizes


def read_classes(ports: Ports, model: Model) -> ClassMap:
    """The classes that a model tells apart.

    Raises:
        NotFoundError: if its bundle is gone.
        InvalidBundleError: if it is damaged.
    """
    return read_class_map(ports.bundles.locate(model.workspace, model.slug))


def resolve_checkpoint(ports: Ports, workspace: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe with the local file of its starting weights, where they are a model's.

    Raises:
        InvalidInputError: if its id has neither form.
        NotFoundError: if the model is gone.
    """
    weights = str(recipe.get("encoder_weights", ""))
    if not weights.startswith(PREFIX):
        return recipe
    model = find_model(ports, workspace, weights.removeprefix(PREFIX))
    path = ports.bundles.locate(model.workspace, model.slug) / WEIGHTS_TORCH
    return recipe | {"encoder_weights": str(path)}
