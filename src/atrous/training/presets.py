"""Recipes derived from a version and a device; whatever a person chose goes before what is derived.

The rules and their reasons: docs/explanation/recipe.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atrous.models.sizes import SIZES, estimate_picture_bytes
from atrous.training.facts import CPU, CUDA, UNKNOWN
from atrous.training.recipe import CHOICES, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.training.facts import DeviceFacts, VersionFacts

DEFAULT_PRESET = "balanced"
# Names no preset: each choice has its plain default.
NO_PRESET = "none"
# Beside the choices in a recipe that is stored.
DERIVED = "derived"

# From random weights it takes three times the schedule to get as far as from pretrained ones.
# Source: He et al. 2019, arXiv:1811.08883, section 4.
SCRATCH_FACTOR = 3
SCRATCH = "none"
# Below this share of the labelled pixels a class hardly moves an unweighted loss.
RARE_SHARE = 0.01
MAX_BATCH = {CPU: 8, UNKNOWN: 8, CUDA: 16}
MIN_STEPS_PER_EPOCH = 4
SMALLEST_GOOD_BATCH = 4
# The rest is for the optimiser, the cache of pictures and everybody else.
MEMORY_SHARE = {CPU: 0.4, UNKNOWN: 0.4, CUDA: 0.7}
# Below this an object that is zoomed out is smaller than a cell of the network's grid.
SMALL_SIDE_PX = 256
SMALLEST_ZOOM_OF_SMALL = 0.75
# Of the encoder, where a recipe leaves it to the architecture.
COARSE_STRIDE = 16
OWN_STRIDES = {"deeplabv3": 8}
MAX_VALIDATIONS = 100
# Of the time that training takes; a picture that is only looked at takes a third of one that is learned from.
VALIDATION_SHARE = 0.2
FORWARD_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Preset:
    """How much is done for a model.

    Attributes:
        views: how often train pictures are seen, all together.
        epochs: fewest and most.
        size: of the encoder, a name in `SIZES`.
        gpu_size: the same beside a GPU.
        choices: what does not depend on the version.
    """

    views: int
    epochs: tuple[int, int]
    size: str
    gpu_size: str
    choices: Mapping[str, Any] = field(default_factory=dict[str, Any])


# Zhao et al. 2017, arXiv:1612.01105, section 3.3; what it is worth here stands in docs/explanation/recipe.md.
SECOND_HEAD = {"auxiliary_weight": 0.4}

PRESETS: dict[str, Preset] = {
    "fast": Preset(5_000, (5, 100), "s", "s", SECOND_HEAD | {"decoder_channels": 128, "dropout": 0.1}),
    DEFAULT_PRESET: Preset(20_000, (20, 200), "s", "s", SECOND_HEAD),
    # Zoom as in Chen et al. 2017, arXiv:1706.05587, section 4.
    "accurate": Preset(60_000, (40, 400), "m", "l", SECOND_HEAD | {"scale_min": 0.5, "scale_max": 2.0}),
}


@dataclass(frozen=True, slots=True)
class DerivedRecipe:
    """A whole recipe.

    Attributes:
        reasons: why each choice that was derived is what it is, by its name.
    """

    recipe: Recipe
    reasons: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Every choice by name, and the reasons under `derived`."""
        return self.recipe.as_json() | {DERIVED: dict(self.reasons)}

    def describe(self) -> str:
        """One line for people."""
        told = (
            f"{name.replace('_', ' ')} {_show(getattr(self.recipe, name))} ({reason})"
            for name, reason in self.reasons.items()
        )
        return f"preset {self.recipe.preset}: {', '.join(told) or 'nothing was left to derive'}"


def derive_recipe(chosen: Mapping[str, Any], version: VersionFacts, device: DeviceFacts) -> DerivedRecipe:
    """Complete what a person chose.

    Args:
        chosen: choices of a recipe by name; `preset` may be one of them.
        version: what is trained on.
        device: what computes.

    Raises:
        InvalidInputError: by its flag, if a choice cannot be.
    """
    name = chosen.get("preset", DEFAULT_PRESET)
    preset = PRESETS.get(name)
    if preset is None:
        # `Recipe` refuses what is not a preset either.
        return DerivedRecipe(Recipe(**chosen), {})
    plan = _Plan(dict(chosen) | {"preset": name})
    _choose_network(plan, name, preset, device)
    _choose_fixed(plan, name, preset, version)
    _choose_epochs(plan, preset, version)
    _choose_batch(plan, version, device)
    _choose_weights(plan, version)
    _choose_validations(plan, version)
    if device.kind == CUDA and device.has_bf16:
        plan.derive("precision", "bf16-mixed", "the GPU computes in bfloat16")
    return DerivedRecipe(Recipe(**plan.values), plan.reasons)


@dataclass(slots=True)
class _Plan:
    """Choices made so far, a person's first."""

    values: dict[str, Any]
    reasons: dict[str, str] = field(default_factory=dict[str, str])

    def derive(self, name: str, value: Any, reason: str) -> None:
        if name not in self.values:
            self.values[name] = value
            self.reasons[name] = reason

    def find(self, name: str) -> Any:
        """A choice so far; one that cannot be is left to `Recipe` to refuse."""
        default = getattr(_DEFAULTS, name)
        value = self.values.get(name, default)
        return default if CHOICES[name].find_fault(value) else value


_DEFAULTS = Recipe()


def _choose_network(plan: _Plan, name: str, preset: Preset, device: DeviceFacts) -> None:
    size = preset.gpu_size if device.kind == CUDA else preset.size
    plan.derive("encoder", SIZES[size].encoder, f"size {size} of preset {name}")


def _choose_fixed(plan: _Plan, name: str, preset: Preset, version: VersionFacts) -> None:
    for choice, value in preset.choices.items():
        plan.derive(choice, value, f"preset {name}")
    is_small = min(version.size.height, version.size.width) < SMALL_SIDE_PX
    if is_small and plan.reasons.get("scale_min") and plan.values["scale_min"] < SMALLEST_ZOOM_OF_SMALL:
        plan.values["scale_min"] = SMALLEST_ZOOM_OF_SMALL
        plan.reasons["scale_min"] = f"pictures of {version.size} are small"
    if plan.reasons.get("scale_max") and plan.find("scale_min") > plan.values["scale_max"]:
        plan.values["scale_max"] = plan.find("scale_min")
        plan.reasons["scale_max"] = "not below scale min"


def _choose_epochs(plan: _Plan, preset: Preset, version: VersionFacts) -> None:
    is_scratch = plan.find("encoder_weights") == SCRATCH
    factor = SCRATCH_FACTOR if is_scratch else 1
    fewest, most = (factor * bound for bound in preset.epochs)
    views = factor * preset.views
    wanted = round(views / max(1, version.train_pictures))
    start = " from random weights" if is_scratch else ""
    if wanted < fewest:
        reason = f"at least {fewest}{start}"
    elif wanted > most:
        reason = f"at most {most}{start}"
    else:
        reason = f"{views:,} views{start} of {version.train_pictures:,} train pictures"
    plan.derive("epochs", min(max(wanted, fewest), most), reason)


def _choose_batch(plan: _Plan, version: VersionFacts, device: DeviceFacts) -> None:
    batch, reason = MAX_BATCH[device.kind], "fits in memory"
    while batch > SMALLEST_GOOD_BATCH and version.train_pictures < MIN_STEPS_PER_EPOCH * batch:
        batch, reason = batch // 2, f"{version.train_pictures} train pictures give few steps"
    picture_bytes = _estimate_bytes(plan, version)
    while batch > 1 and batch * picture_bytes > MEMORY_SHARE[device.kind] * device.memory_bytes:
        batch, reason = batch // 2, f"pictures of {version.size} in {device.memory_bytes / 2**30:.0f} GiB of memory"
    plan.derive("batch_size", batch, reason)


def _estimate_bytes(plan: _Plan, version: VersionFacts) -> int:
    pixels = round(version.size.pixels * plan.find("crop_share") ** 2)
    stride = plan.find("output_stride") or OWN_STRIDES.get(plan.find("architecture"), COARSE_STRIDE)
    return estimate_picture_bytes(plan.find("encoder"), pixels, len(version.class_pixels), stride=stride)


def _choose_weights(plan: _Plan, version: VersionFacts) -> None:
    total = sum(version.class_pixels.values())
    if total == 0:
        return
    rarest, pixels = min(_list_wanted_classes(version), key=lambda one: one[1])
    if pixels < RARE_SHARE * total:
        plan.derive("class_weights", "balanced", f"{rarest!r} has {pixels / total:.2%} of the labelled pixels")
    else:
        plan.derive("class_weights", "none", f"the rarest class, {rarest!r}, has {pixels / total:.1%} of the pixels")


def _list_wanted_classes(version: VersionFacts) -> list[tuple[str, int]]:
    (background, pixels), *named = version.class_pixels.items()
    # Where every pixel is labelled as something there is no background to learn.
    return [(background, pixels), *named] if pixels or not named else named


def _choose_validations(plan: _Plan, version: VersionFacts) -> None:
    epochs = plan.find("epochs")
    for_number = math.ceil(epochs / MAX_VALIDATIONS)
    share = FORWARD_SHARE * version.valid_pictures / max(1, version.train_pictures)
    for_time = math.ceil(share / VALIDATION_SHARE)
    if for_time > for_number:
        reason = f"{version.valid_pictures:,} valid pictures beside {version.train_pictures:,} take time"
    else:
        reason = f"at most {MAX_VALIDATIONS} times"
    if max(for_number, for_time) > 1:
        plan.derive("validate_every", min(epochs, max(for_number, for_time)), reason)


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
