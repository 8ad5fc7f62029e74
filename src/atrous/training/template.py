"""A recipe as clients read and write it: two parts, described by a JSON schema."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidInputError
from atrous.training.recipe import CHOICES, HYPERPARAMETERS, ONLINE_AUGMENTATION, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = (HYPERPARAMETERS, ONLINE_AUGMENTATION)
# Names that other tools use.
ALIASES = {"lr": "learning_rate"}
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "int": ("integer", (int,)),
    "float": ("number", (int, float)),
    "bool": ("boolean", (bool,)),
    "str": ("string", (str,)),
}
KIND_OF = {field.name: KINDS[str(field.type)] for field in fields(Recipe)}
SHOWN_LENGTH = 100


def describe_recipe(recipe: Recipe) -> dict[str, Any]:
    """JSON schema of what clients may choose; the defaults are those of a recipe."""
    parts = {
        part: {
            "type": "object",
            "properties": {name: _describe(name, getattr(recipe, name)) for name in _names_of(part)},
            "additionalProperties": False,
        }
        for part in PARTS
    }
    return {"type": "object", "properties": parts, "additionalProperties": False}


def make_template(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """What clients may choose, as it is in a recipe; what they could not send back, such as a file, is left out."""
    values = {part: {name: getattr(recipe, name) for name in _names_of(part)} for part in PARTS}
    return {
        part: {name: value for name, value in named.items() if not _find_fault(name, value)}
        for part, named in values.items()
    }


def read_template(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give the choices that a client made, which need not be all, by name.

    Raises:
        InvalidInputError: naming the first field that is unknown or cannot be.
    """
    chosen: dict[str, Any] = {}
    for part, values in content.items():
        if part not in PARTS:
            raise InvalidInputError(f"trainRecipe.{part[:SHOWN_LENGTH]}: unknown; there are {' and '.join(PARTS)}")
        if not isinstance(values, dict):
            raise InvalidInputError(f"trainRecipe.{part}: must be an object")
        for sent, value in cast("dict[str, Any]", values).items():
            chosen[_find_name(part, sent)] = check_value(f"trainRecipe.{part}.{sent}", _find_name(part, sent), value)
    return chosen


def check_value(where: str, name: str, value: Any) -> Any:
    """Give back what a client chose, if it can be.

    Raises:
        InvalidInputError: beginning with `where`, if it cannot.
    """
    fault = _find_fault(name, value)
    if fault:
        raise InvalidInputError(f"{where}: {fault}")
    return value


def _names_of(part: str) -> list[str]:
    return [name for name, choice in CHOICES.items() if choice.part == part]


def _find_name(part: str, sent: str) -> str:
    name = ALIASES.get(sent, sent)
    if name not in _names_of(part):
        names = ", ".join(_names_of(part))
        raise InvalidInputError(f"trainRecipe.{part}.{sent[:SHOWN_LENGTH]}: unknown; there are {names}")
    return name


def _find_fault(name: str, value: Any) -> str | None:
    kind, types = KIND_OF[name]
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
        return f"must be of type {kind}"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    choice = CHOICES[name]
    if choice.pattern and not re.fullmatch(choice.pattern, str(value)):
        return "must be a name such as imagenet, or none"
    return choice.find_fault(value)


def _describe(name: str, default: Any) -> dict[str, Any]:
    choice = CHOICES[name]
    schema: dict[str, Any] = {"type": KIND_OF[name][0], "description": choice.meaning}
    if choice.limits:
        schema |= {"minimum": choice.limits[0], "maximum": choice.limits[1]}
    if choice.words:
        schema["enum"] = list(choice.words)
    if choice.pattern:
        schema["pattern"] = f"^{choice.pattern}$"
    return schema if _find_fault(name, default) else schema | {"default": default}
