"""The order of classes in weights that were trained elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND, ClassMap
from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHOWN_LENGTH = 300


def read_names(path: Path) -> list[str]:
    """Class names from a file, one a line.

    Raises:
        InvalidInputError: if it cannot be read, names nothing or a class twice.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path}: cannot be read as text; give a file with a class name in each line"
        ) from error
    if not names or len({name.casefold() for name in names}) < len(names):
        raise InvalidInputError(f"{path}: must name each class once, one in each line")
    return names


def make_class_map(names: Sequence[str]) -> ClassMap:
    """The classes of weights in our order: background first, whatever the case of its letters.

    Raises:
        InvalidInputError: if there is no background, or the names cannot be.
    """
    others = [name for name in names if name.casefold() != BACKGROUND]
    if len(others) == len(names):
        raise InvalidInputError(
            f"no class is named {BACKGROUND!r}: rename the one that stands for everything else, as a model must have it"
        )
    return ClassMap((BACKGROUND, *others))


def find_order(class_map: ClassMap, names: Sequence[str]) -> list[int]:
    """For each class of a version its place in the order of the weights, whatever the case of its letters.

    Raises:
        InvalidInputError: if not all names are the version's.
    """
    places = {name.casefold(): place for place, name in enumerate(names)}
    ours = {name.casefold() for name in class_map.names}
    missing = [name for name in class_map.names if name.casefold() not in places]
    foreign = [name for name in names if name.casefold() not in ours]
    if missing or foreign:
        raise InvalidInputError(
            f"the classes of the weights are not those of the version: {_list('missing', missing)}"
            f"{_list('not of the version', foreign)}choose the version that they were trained on, or correct the names"
        )
    return [places[name.casefold()] for name in class_map.names]


def _list(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names)[:SHOWN_LENGTH]}; " if names else ""
