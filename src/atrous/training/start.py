"""Which classes of a network start from which classes of another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from atrous.bundle.bundle import read_class_map
from atrous.bundle.layout import CLASS_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.core.class_map import ClassMap


def match_classes(ours: ClassMap, theirs: ClassMap) -> tuple[int | None, ...]:
    """For each of our classes the id of theirs that has its name, or None."""
    ids = {name: index for index, name in enumerate(theirs.names)}
    return tuple(ids.get(name) for name in ours.names)


def find_rows(weights: str, class_map: ClassMap) -> Sequence[int | None] | None:
    """Rows of the last layer in a file of weights to start from, if class names lie beside it as in a model's folder.

    Args:
        weights: what a recipe says of them.
        class_map: of the network that starts.

    Raises:
        InvalidBundleError: if the names cannot be read.
    """
    folder = Path(weights).parent
    if not Path(weights).is_file() or not (folder / CLASS_NAMES).is_file():
        return None
    return match_classes(class_map, read_class_map(folder))
