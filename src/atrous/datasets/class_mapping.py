"""From the values and class names of a source to our ids: 0 is background, 255 is void."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND, BACKGROUND_ID, MAX_CLASSES, VOID_ID, ClassMap
from atrous.core.errors import InvalidDatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

VOID = "void"
# Compared without case, and with all that is no letter or digit as one space.
BACKGROUND_NAMES = frozenset({"background"})
VOID_NAMES = frozenset(
    {"void", "ignore", "ignored", "unlabelled", "unlabeled", "not labelled", "not labeled"}
    | {"don t care", "dont care", "dontcare"}
)
# Masks use it for void even where their list of names is silent about it.
UNDECLARED_VOID_VALUE = 255


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One value of the source and what it becomes."""

    source_value: int
    source_name: str
    id: int
    name: str

    def as_json(self) -> dict[str, Any]:
        """The row with its field names."""
        return {"source_value": self.source_value, "source_name": self.source_name, "id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """What each value of a source becomes.

    Attributes:
        rows: in order of source value.
        class_map: the project's classes once the source is imported: those it had, then the new ones.
    """

    rows: tuple[MappingRow, ...]
    class_map: ClassMap


def map_classes(classes: Mapping[int, str], existing: ClassMap | None, *, may_be_empty: bool = False) -> ClassMapping:
    """Find our id for each value of a source.

    Names are matched without case and surrounding spaces. New names come after the existing ones, in order of value.

    Args:
        classes: source value -> source name.
        existing: the project's classes; None for a new project.
        may_be_empty: whether there may be no class besides background and void, as in what is said of one picture.

    Raises:
        InvalidDatasetError: if two values have the same name, no class is left besides background and void, or there
            are too many.
    """
    ids = {name.casefold(): class_id for class_id, name in enumerate(existing.names if existing else (BACKGROUND,))}
    names = list(existing.names) if existing else [BACKGROUND]
    rows: list[MappingRow] = []
    for value, source_name in sorted(classes.items()):
        name = " ".join(source_name.split())
        class_id = _special_id(name)
        if class_id is None:
            class_id = ids.setdefault(name.casefold(), len(names))
            if class_id == len(names):
                names.append(name)
        rows.append(MappingRow(value, source_name, class_id, VOID if class_id == VOID_ID else names[class_id]))
        if len(names) > MAX_CLASSES:
            raise InvalidDatasetError(
                f"with class {source_name!r} there are {len(names)} classes; merge some, {MAX_CLASSES} is the most"
            )
    _check_rows(rows, may_be_empty=may_be_empty)
    return ClassMapping(tuple(rows), ClassMap(tuple(names)))


def is_background(name: str) -> bool:
    """Whether a source's class of this name is our background."""
    return _plain(name) in BACKGROUND_NAMES


def _special_id(name: str) -> int | None:
    if is_background(name):
        return BACKGROUND_ID
    return VOID_ID if _plain(name) in VOID_NAMES else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


def _check_rows(rows: Iterable[MappingRow], *, may_be_empty: bool) -> None:
    first: dict[int, MappingRow] = {}
    for row in rows:
        if row.id in {BACKGROUND_ID, VOID_ID}:
            continue
        other = first.setdefault(row.id, row)
        if other is not row:
            raise InvalidDatasetError(
                f"classes {other.source_name!r} (value {other.source_value}) and {row.source_name!r} (value "
                f"{row.source_value}) have the same name; rename one of them"
            )
    if not first and not may_be_empty:
        raise InvalidDatasetError("the source names no class besides background and void; name at least one class")
