"""What clients call a kind of model: `deeplabv3plus-sem`, `deeplabv3plus-r50-sem`, `deeplabv3-l`.

Without `sem` in the answer the stock client would take the model for a detector, so every name that is given has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError
from atrous.models.sizes import SIZES
from atrous.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

ARCHITECTURES = ("deeplabv3plus", "deeplabv3")
TASK = "-sem"
# Short, because the stock client takes a name that holds `resn` for a classifier's.
ENCODERS = {
    "mobilenet": "mobilenet_v2",
    "r18": "resnet18",
    "r34": "resnet34",
    "r50": "resnet50",
    "r101": "resnet101",
    "r152": "resnet152",
    "b0": "efficientnet-b0",
    "b3": "efficientnet-b3",
    "b4": "efficientnet-b4",
}
BY_SIZE = {name: size.encoder for letter, size in SIZES.items() for name in (letter, size.name)}
SUFFIXES = ENCODERS | BY_SIZE | {name: name for name in ENCODERS.values()}
DEFAULT_ENCODER = Recipe().encoder
SHOWN_LENGTH = 100


@dataclass(frozen=True, slots=True)
class ModelType:
    """A kind of model; `encoder` is None where the name leaves it open."""

    architecture: str
    encoder: str | None = None


def parse_model_type(text: str) -> ModelType:
    """Read a name in any of its forms, with or without `-sem`.

    Raises:
        InvalidInputError: naming the kinds there are.
    """
    name = text.strip().lower().removesuffix(TASK)
    for architecture in ARCHITECTURES:
        if name == architecture:
            return ModelType(architecture)
        suffix = name.removeprefix(f"{architecture}-")
        if suffix != name and suffix in SUFFIXES:
            return ModelType(architecture, SUFFIXES[suffix])
    raise InvalidInputError(
        f"model type {text[:SHOWN_LENGTH]!r}: unknown; choose one of {', '.join(list_model_types())}"
    )


def list_model_types() -> list[str]:
    """The names there are, each kind once."""
    suffixes = ("", *(f"-{short}" for short, encoder in ENCODERS.items() if encoder != DEFAULT_ENCODER))
    return [f"{architecture}{suffix}{TASK}" for architecture in ARCHITECTURES for suffix in suffixes]


def name_model_type(recipe: Mapping[str, Any]) -> str:
    """The name of what a recipe trains."""
    architecture = recipe.get("architecture", ARCHITECTURES[0])
    encoder = recipe.get("encoder", DEFAULT_ENCODER)
    if encoder == DEFAULT_ENCODER:
        return f"{architecture}{TASK}"
    short = next((short for short, name in ENCODERS.items() if name == encoder), encoder)
    return f"{architecture}-{short}{TASK}"
