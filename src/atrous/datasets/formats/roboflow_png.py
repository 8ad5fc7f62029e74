"""Roboflow's export "PNG masks for semantic segmentation": each mask lies beside its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_table import read_class_table
from atrous.datasets.findings import Finding
from atrous.datasets.mask_file import MaskFile
from atrous.datasets.picture_files import list_folders, list_pictures
from atrous.datasets.source import Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from pathlib import Path

DESCRIPTION = "train/, valid/ and test/ with _classes.csv (Pixel Value,Class) and NAME_mask.png beside each NAME.jpg"
TABLE = "_classes.csv"
MASK_ENDING = "_mask"


def recognise(folder: Path) -> bool:
    """Whether a split's folder has the csv of class names and a mask."""
    return any(any(path.stem.endswith(MASK_ENDING) for path in list_pictures(split)) for split in _find_splits(folder))


def read(folder: Path) -> Source:
    """Pair pictures and masks by their names.

    Raises:
        InvalidDatasetError: if a csv of class names cannot be read, or two of them disagree.
    """
    classes: dict[int, str] = {}
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for part, split in _find_splits(folder).items():
        _join_classes(classes, part / TABLE)
        _pair(part, split, items, findings)
    return Source(dict(sorted(classes.items())), tuple(items), tuple(findings))


def _find_splits(folder: Path) -> dict[Path, Split]:
    return {
        entry: SPLIT_NAMES[entry.name.lower()]
        for entry in list_folders(folder)
        if entry.name.lower() in SPLIT_NAMES and (entry / TABLE).is_file()
    }


def _join_classes(classes: dict[int, str], table: Path) -> None:
    for value, name in read_class_table(table).items():
        if classes.setdefault(value, name) != name:
            raise InvalidDatasetError(
                f"{table}: value {value} is {name!r} here and {classes[value]!r} in another split; export the splits "
                "together"
            )


def _pair(part: Path, split: Split, items: list[SourceItem], findings: list[Finding]) -> None:
    files = list_pictures(part)
    stems = {path.stem for path in files}
    # A photo may itself be called NAME_mask: it is one if it has a mask of its own.
    masks = {
        path.stem: path for path in files if path.stem.endswith(MASK_ENDING) and path.stem + MASK_ENDING not in stems
    }
    pictures = [path for path in files if path.stem not in masks]
    for path in pictures:
        mask = masks.pop(path.stem + MASK_ENDING, None)
        if mask is None:
            remedy = "add the mask or remove the picture"
            findings.append(Finding(path, f"has no mask {path.stem}{MASK_ENDING}.png", remedy))
        else:
            items.append(SourceItem(path.name, path, split, MaskFile(mask)))
    findings += [Finding(path, "has no picture of its name", "add it or remove the mask") for path in masks.values()]
