"""From options of `atrous train` to a whole recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.cli.terminal import say
from atrous.core.errors import InvalidInputError
from atrous.datasets.splits import Split
from atrous.models.sizes import SIZES
from atrous.training.facts import COUNTED_PICTURES, describe_version
from atrous.training.presets import derive_recipe
from atrous.training.start import match_classes
from atrous.workspace.checkpoints import describe_checkpoint, find_checkpoint, read_classes
from atrous.workspace.versions import list_some_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.core.class_map import ClassMap
    from atrous.training.presets import DerivedRecipe
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version


def complete_recipe(
    ports: Ports, version: Version, chosen: Mapping[str, Any], *, size: str | None, start: str | None
) -> DerivedRecipe:
    """Derive what a person left open, and say so.

    Args:
        ports: the world.
        version: what is trained on.
        chosen: choices of a recipe by name.
        size: name of the encoder's size.
        start: id of the model to start from.

    Raises:
        InvalidInputError: by its flag, if an option cannot be, or contradicts another one.
        NotFoundError: if the model to start from is gone.
    """
    from atrous.training.device import describe_device

    wanted = dict(chosen) | _find_encoder(chosen, size)
    if start is not None:
        wanted |= _find_start(ports, version, wanted, start)
    counted = list_some_samples(ports, version, Split.TRAIN, COUNTED_PICTURES)
    facts = describe_version(version.preprocessing.size, version.pictures, counted, version.class_map)
    derived = derive_recipe(wanted, facts, describe_device(wanted.get("device", "auto")))
    if derived.reasons:
        say(derived.describe())
    return derived


def _find_encoder(chosen: Mapping[str, Any], size: str | None) -> dict[str, str]:
    if size is None:
        return {}
    if "encoder" in chosen:
        raise InvalidInputError(f"--size {size}: names an encoder as --encoder does; leave one of them out")
    if size not in SIZES:
        raise InvalidInputError(f"--size {size}: choose one of {', '.join(SIZES)}")
    return {"encoder": SIZES[size].encoder}


def _find_start(ports: Ports, version: Version, chosen: Mapping[str, Any], start: str) -> dict[str, Any]:
    if "encoder_weights" in chosen:
        raise InvalidInputError(f"--from {start}: names weights as --encoder-weights does; leave one of them out")
    model = find_checkpoint(ports, version.workspace, version.project, start)
    found = describe_checkpoint(ports, model)
    for name, value in chosen.items():
        if name in found and found[name] != value:
            raise InvalidInputError(
                f"--from {start}: has {name.replace('_', ' ')} {found[name]}, not {value}; leave that choice out"
            )
    _say_classes(version.class_map, read_classes(ports, model), start)
    return found


def _say_classes(ours: ClassMap, theirs: ClassMap, start: str) -> None:
    matches = match_classes(ours, theirs)
    fresh = [name for name, match in zip(ours.names, matches, strict=True) if match is None]
    told = f"; new: {', '.join(fresh)}" if fresh else ""
    say(f"from {start}: {len(matches) - len(fresh)} of {len(ours)} classes are known by name{told}")
