"""YOLO's data.yaml: class names, and which folders hold which split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import yaml

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.datasets.files.tree import File, Tree

USUAL_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
MAX_BYTES = 1 << 20
MAX_CLASS_INDEX = 65_000
EXAMPLE = "write names: [road, sign]"


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """What a data.yaml says.

    Attributes:
        names: class index from 0 -> name; empty if it names none.
        places: split -> folders or lists of pictures, as written.
    """

    names: dict[int, str]
    places: dict[Split, list[str]]


def find_config(tree: Tree) -> File | None:
    """The data.yaml, or the only yaml file of another name."""
    names = [name for name in tree.files() if name.lower().endswith((".yaml", ".yml"))]
    usual = [name for name in names if name.lower() in USUAL_NAMES]
    return tree.file(min(usual)) if usual else tree.file(names[0]) if len(names) == 1 else None


def read_config(file: File) -> YoloConfig:
    """Read a data.yaml.

    Raises:
        InvalidDatasetError: if it cannot be read or is none.
    """
    try:
        text = file.read_head(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise InvalidDatasetError(f"{file.place}: is larger than a data.yaml can be; {EXAMPLE}")
        content: Any = yaml.safe_load(text)
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; check that it may be read") from error
    # PyYAML raises ValueError and TypeError for dates and keys that look like others' but are wrong.
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InvalidDatasetError(f"{file.place}: is not YAML; {EXAMPLE}") from error
    if not isinstance(content, dict):
        raise InvalidDatasetError(f"{file.place}: holds no keys; {EXAMPLE}")
    fields = cast("Mapping[Any, Any]", content)
    return YoloConfig(_read_names(fields.get("names"), file.place), _read_places(fields))


def _read_names(names: Any, place: str) -> dict[int, str]:
    entries: Mapping[Any, Any] = {}
    if isinstance(names, list):
        entries = dict(enumerate(cast("list[Any]", names)))
    elif isinstance(names, dict):
        entries = cast("Mapping[Any, Any]", names)
    elif names is not None:
        raise InvalidDatasetError(f"{place}: its names are no list; {EXAMPLE}")
    return dict(sorted(_read_name(key, name, place) for key, name in entries.items()))


def _read_name(key: Any, name: Any, place: str) -> tuple[int, str]:
    if type(key) is not int or not 0 <= key <= MAX_CLASS_INDEX:
        raise InvalidDatasetError(f"{place}: a key of its names is no class index from 0; {EXAMPLE}")
    # YAML takes no, yes, on and off for truth values, and 1 for a number.
    if type(name) is int:
        return key, str(name)
    if not isinstance(name, str) or not name.strip():
        raise InvalidDatasetError(f"{place}: the name of class {key} is no text; put it in quotes")
    return key, name


def _read_places(fields: Mapping[Any, Any]) -> dict[Split, list[str]]:
    places: dict[Split, list[str]] = {}
    for key, value in fields.items():
        split = SPLIT_NAMES.get(key) if isinstance(key, str) else None
        if split:
            paths: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
            places.setdefault(split, []).extend(path for path in paths if isinstance(path, str))
    return places


def find_place(tree: Tree, path: str) -> str | None:
    """The folder or file of a tree that a path means: by its last parts, since people move datasets."""
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in {"/", "..", "."}]
    for start in range(len(parts)):
        name = "/".join(parts[start:])
        if tree.has(name) or tree.files_below(name):
            return name
    return None
