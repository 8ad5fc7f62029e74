"""Classes of a source that knows names alone: their order, and a value for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND, MAX_CLASSES
from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import read_class_list
from atrous.datasets.outlines.outline import UNPAINTED_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atrous.datasets.files.tree import File


def read_names(file: File) -> list[str]:
    """The names of a list of classes, in its order.

    Raises:
        InvalidDatasetError: if it is no such list.
    """
    classes = read_class_list(file)
    return list(dict.fromkeys([*classes.values.values(), *classes.colours.values()]))


def order_names(found: Iterable[str], listed: Sequence[str]) -> tuple[list[str], list[str]]:
    """The listed names, then those that were found besides; and what to say about these.

    Raises:
        InvalidDatasetError: if there are more than ids.
    """
    others = sorted(set(found) - set(listed))
    names = [*listed, *others]
    if len(names) > MAX_CLASSES + 1:  # background and void may be among them
        raise InvalidDatasetError(f"the annotations name {len(names)} classes; merge some, {MAX_CLASSES} is the most")
    notes = (
        [f"classes that the list of classes lacks, added after it: {', '.join(others)}"] if listed and others else []
    )
    return names, notes


def number_names(names: Sequence[str]) -> dict[int, str]:
    """Value -> name: 0 is what nothing covers, then the names from 1 on."""
    return {UNPAINTED_VALUE: BACKGROUND} | dict(enumerate(names, start=UNPAINTED_VALUE + 1))
