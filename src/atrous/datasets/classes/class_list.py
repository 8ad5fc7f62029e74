"""A dataset's list of classes: what stands for each in its masks, a value or a colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_csv import read_csv_entries
from atrous.datasets.classes.class_entries import EXAMPLE, write_colour
from atrous.datasets.classes.class_json import read_json_entries
from atrous.datasets.classes.class_text import read_text_entries
from atrous.datasets.files.tree import File, Folder, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atrous.datasets.classes.class_entries import ClassEntry
    from atrous.datasets.files.tree import Tree

# In order of preference.
CLASS_LIST_NAMES = (
    *("classes.csv", "_classes.csv", "class_dict.csv", "class_dict_seg.csv", "class_names.csv", "labels.csv"),
    *("labelmap.txt", "label_map.json", "labelmap.json", "classes.json", "class_dict.json", "labels.json"),
    *("label_colors.txt", "class_names.txt", "codes.txt", "labels.txt", "names.txt", "classes.txt"),
)


@dataclass(frozen=True, slots=True)
class ClassList:
    """Class names by what stands for them in masks; at least one of the two is not empty.

    Attributes:
        values: pixel value -> name, in order of value.
        colours: colour as 0xRRGGBB -> name, in the list's order.
    """

    values: dict[int, str]
    colours: dict[int, str]


def find_class_list(tree: Tree, folder: str = "") -> File | None:
    """The list of classes that lies directly in a folder, if one of the usual names is there."""
    by_name = {name.rpartition("/")[2].lower(): name for name in tree.files(folder)}
    return next((tree.file(by_name[name]) for name in CLASS_LIST_NAMES if name in by_name), None)


def open_class_list(path: Path) -> File:
    """The list of classes that a person gives."""
    return File(Folder(path.parent), path.name)


def read_class_list(file: File) -> ClassList:
    """Read a csv, a JSON file or a text by its suffix; anything else is a text.

    Raises:
        InvalidDatasetError: naming the file and the line, if it is no list of classes.
    """
    text = _read_text(file)
    match file.suffix:
        case ".csv" | ".tsv":
            entries = read_csv_entries(file.place, text.splitlines())
        case ".json":
            entries = read_json_entries(file.place, text)
        case _:
            entries = read_text_entries(file.place, text.splitlines())
    return _collect(file, entries)


def _read_text(file: File) -> str:
    try:
        return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDatasetError(f"{file.place}: is not UTF-8 text; save it in UTF-8") from error
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; check that it may be read") from error


def _collect(file: File, entries: Iterable[ClassEntry]) -> ClassList:
    values: dict[int, str] = {}
    colours: dict[int, str] = {}
    for entry in entries:
        if not entry.name:
            said = write_colour(entry.colour or 0) if entry.value is None else f"value {entry.value}"
            raise InvalidDatasetError(f"{entry.where}: {said} has no class name; {EXAMPLE}")
        if entry.value is not None and values.setdefault(entry.value, entry.name) != entry.name:
            raise InvalidDatasetError(f"{entry.where} names value {entry.value} a second time; keep one of the lines")
        if entry.colour is not None and colours.setdefault(entry.colour, entry.name) != entry.name:
            said = write_colour(entry.colour)
            raise InvalidDatasetError(f"{entry.where} names colour {said} a second time; keep one of the lines")
    if not values and not colours:
        raise InvalidDatasetError(f"{file.place}: names no class; {EXAMPLE}")
    return ClassList(dict(sorted(values.items())), colours)
