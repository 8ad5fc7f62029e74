"""Roboflow's export "PNG masks for semantic segmentation": each mask lies beside its picture."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import open_class_list, read_class_list
from atrous.datasets.files.picture_files import is_picture
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Hints

DESCRIPTION = "train/, valid/ and test/ with _classes.csv (Pixel Value,Class) and NAME_mask.png beside each NAME.jpg"
TABLE = "_classes.csv"
MASK_ENDING = "_mask"


def recognise(tree: Tree) -> bool:
    """Whether a split's folder has the csv of class names and a mask."""
    return any(any(_is_mask(name) for name in tree.files(folder)) for folder in _find_splits(tree))


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and masks by their names.

    Raises:
        InvalidDatasetError: if a csv of class names cannot be read, or two of them disagree.
    """
    classes: dict[int, str] = {}
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for folder, split in _find_splits(tree).items():
        _join_classes(
            classes, open_class_list(hints.class_list) if hints.class_list else tree.file(f"{folder}/{TABLE}")
        )
        _pair(tree, folder, split, items, findings)
    return Source(dict(sorted(classes.items())), tuple(items), tuple(findings))


def _find_splits(tree: Tree) -> dict[str, Split]:
    return {
        folder: SPLIT_NAMES[folder.lower()]
        for folder in tree.folders()
        if folder.lower() in SPLIT_NAMES and tree.has(f"{folder}/{TABLE}")
    }


def _is_mask(name: str) -> bool:
    return is_picture(name) and PurePosixPath(name).stem.endswith(MASK_ENDING)


def _join_classes(classes: dict[int, str], table: File) -> None:
    values = read_class_list(table).values
    if not values:
        raise InvalidDatasetError(f"{table.place}: gives colours but no values; write one line a class, such as 1,road")
    for value, name in values.items():
        if classes.setdefault(value, name) != name:
            raise InvalidDatasetError(
                f"{table.place}: value {value} is {name!r} here and {classes[value]!r} in another split; export the "
                "splits together"
            )


def _pair(tree: Tree, folder: str, split: Split, items: list[SourceItem], findings: list[Finding]) -> None:
    files = [tree.file(name) for name in tree.files(folder) if is_picture(name)]
    stems = {file.stem for file in files}
    # A photo may itself be called NAME_mask: it is one if it has a mask of its own.
    masks = {
        file.stem: file for file in files if file.stem.endswith(MASK_ENDING) and file.stem + MASK_ENDING not in stems
    }
    pictures = [file for file in files if file.stem not in masks]
    for picture in pictures:
        mask = masks.pop(picture.stem + MASK_ENDING, None)
        if mask is None:
            reason = f"has no mask {picture.stem}{MASK_ENDING}.png"
            remedy = "add the mask or remove the picture"
            findings.append(Finding(Kind.NO_LABEL, picture.name, reason, remedy))
        else:
            items.append(SourceItem(picture, split, MaskFile(mask)))
    findings += [
        Finding(Kind.NO_PICTURE, mask.name, "has no picture of its name", "add it or remove the mask")
        for mask in masks.values()
    ]
