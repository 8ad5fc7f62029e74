"""Which trainings are compared: a baseline, choices that each change one thing of it, and finalists."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from atrous.training.recipe import CHOICES, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BASELINE = "baseline"
PARTS = ("budget", BASELINE, "choices", "finalists")


@dataclass(frozen=True, slots=True)
class Budget:
    """What each run may cost, the same for all.

    Attributes:
        epochs: of each run.
        seconds: of training after which a run ends with its best weights so far; 0 is no limit.
        train_pictures: evenly spread over the split; 0 is all.
        valid_pictures: the same.
        size: of the network's input; None is the version's own.
    """

    epochs: int
    seconds: float = 0.0
    train_pictures: int = 0
    valid_pictures: int = 0
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Trainings by name.

    Attributes:
        budget: of each.
        baseline: what it changes of the default recipe.
        choices: what each changes of the baseline.
        finalists: the same, of those that run on every version.
    """

    budget: Budget
    baseline: dict[str, Any]
    choices: dict[str, dict[str, Any]]
    finalists: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def list_runs(self, *, is_first: bool) -> dict[str, dict[str, Any]]:
        """What each run on a version changes of the baseline: all on the first one, finalists alone on others."""
        return {BASELINE: {}} | (self.choices if is_first else {}) | self.finalists

    def make_recipe(self, changes: Mapping[str, Any]) -> Recipe:
        """The whole recipe of a run."""
        return Recipe(**{"epochs": self.budget.epochs} | self.baseline | dict(changes))


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        InvalidInputError: naming what cannot be in it.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path}: is no plan ({error}); see benchmarks/plans") from error
    for part in content:
        if part not in PARTS or not isinstance(content[part], dict):
            raise InvalidInputError(f"{path}: {part}: unknown; a plan has {', '.join(PARTS)}")
    plan = Plan(
        _read_budget(path, content.get("budget", {})),
        content.get(BASELINE, {}),
        content.get("choices", {}),
        content.get("finalists", {}),
    )
    _check_runs(path, plan)
    return plan


def _read_budget(path: Path, content: dict[str, Any]) -> Budget:
    unknown = content.keys() - {field.name for field in fields(Budget)}
    if unknown or "epochs" not in content:
        raise InvalidInputError(f"{path}: budget: name epochs, and of others only {', '.join(_names_of(Budget))}")
    try:
        budget = Budget(**content)
        return replace(budget, size=Size(*content["size"])) if "size" in content else budget
    except TypeError as error:
        raise InvalidInputError(f"{path}: budget: size is [height, width] in pixels") from error


def _names_of(kind: type[Budget]) -> list[str]:
    return [field.name for field in fields(kind)]


def _check_runs(path: Path, plan: Plan) -> None:
    baseline = plan.make_recipe({})
    for name, changes in ({BASELINE: plan.baseline} | plan.choices | plan.finalists).items():
        if not isinstance(changes, dict):
            raise InvalidInputError(f"{path}: {name}: name choices of a recipe and their values")
        unknown = [choice for choice in changes if choice not in CHOICES]
        if unknown:
            raise InvalidInputError(f"{path}: {name}: {unknown[0]} is no choice of a recipe")
        if name != BASELINE and plan.make_recipe(changes) == baseline:
            raise InvalidInputError(f"{path}: {name}: changes nothing of the baseline; leave it out")
