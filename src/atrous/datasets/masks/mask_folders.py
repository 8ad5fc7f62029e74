"""Datasets of pictures and masks in pairs of folders: what stands for a class, and a label for each picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import find_class_list, open_class_list, read_class_list
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.findings import Finding
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.masks.mask_classes import MaskClasses, read_colour_classes, read_value_classes
from atrous.datasets.masks.mask_picture import read_mask_header
from atrous.datasets.masks.pairing import (
    FolderPair,
    find_folder_pairs,
    list_masks,
    list_pictures,
    pair_files,
    split_of_path,
)
from atrous.datasets.masks.split_lists import read_split_lists
from atrous.datasets.source import Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.datasets.classes.class_list import ClassList
    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Hints


class MaskKind(Enum):
    """What a pixel of a mask holds."""

    VALUE = "value"
    COLOUR = "colour"


@dataclass(frozen=True, slots=True)
class _Files:
    """What lies in pairs of folders; `masks` is picture's name -> mask's name."""

    masks: dict[str, str]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def recognise_mask_folders(tree: Tree) -> MaskKind | None:
    """What masks in pairs of folders hold, if this tree is the folder around all of them; otherwise None.

    Reads the list of classes and, where that leaves it open, the header of one mask.
    """
    pairs = [pair for pair in find_folder_pairs(tree) if pair.masks is not None]
    if not pairs or not _is_dataset(tree, pairs):
        return None
    lists = _find_class_lists(tree, pairs)
    try:
        classes = read_class_list(lists[0]) if lists else None
    except InvalidDatasetError:
        classes = None
    first = list_masks(tree, pairs[0])[0]
    return _find_kind(classes, tree.file(first), NO_FIXES)


def read_mask_folders(tree: Tree, hints: Hints) -> Source:
    """Pair pictures and masks by their names and find out what stands for a class in the masks.

    Raises:
        InvalidDatasetError: if the list of classes cannot be read or does not fit the masks, or there is none and the
            masks are not black and white.
    """
    pairs = find_folder_pairs(tree)
    files = _pair_all(tree, pairs)
    if not files.masks:
        raise InvalidDatasetError(f"{tree.place}: no picture has a mask of its name; give both the same names")
    classes, list_notes = _choose_class_list(tree, pairs, hints)
    found = _read_classes(tree, [tree.file(name) for name in files.masks.values()], classes, hints.fixes)
    splits, split_notes = _find_splits(tree, list(files.masks))
    items = tuple(
        SourceItem(tree.file(picture), splits.get(picture), found.label(tree.file(mask)))
        for picture, mask in sorted(files.masks.items())
    )
    return Source(found.classes, items, files.findings, (*list_notes, *found.notes, *files.notes, *split_notes))


def _is_dataset(tree: Tree, pairs: Sequence[FolderPair]) -> bool:
    """Whether the tree is no mere wrapper of one dataset, and does not hold several with lists of their own."""
    if find_class_list(tree):
        return True
    above = [_drop_splits(pair.folder.split("/")) for pair in pairs]
    if [] in above:
        return True
    is_wrapper = len({folders[0] for folders in above}) == 1
    between = {"/".join(folders[:depth]) for folders in above for depth in range(1, len(folders) + 1)}
    return not is_wrapper and not any(find_class_list(tree, folder) for folder in between)


def _drop_splits(folders: list[str]) -> list[str]:
    """Folders of a path up to the first that names a split; none for the tree itself."""
    named = [folder for folder in folders if folder]
    is_split = [folder.lower() in SPLIT_NAMES for folder in named]
    return named[: is_split.index(True)] if True in is_split else named


def _find_class_lists(tree: Tree, pairs: Sequence[FolderPair]) -> list[File]:
    """Lists of classes: the one beside all folders, or those in splits' folders and among the masks."""
    if beside := find_class_list(tree):
        return [beside]
    folders = {folder: None for pair in pairs for folder in (pair.folder, pair.images, pair.masks) if folder}
    return [found for folder in folders if (found := find_class_list(tree, folder))]


def _choose_class_list(tree: Tree, pairs: Sequence[FolderPair], hints: Hints) -> tuple[ClassList | None, list[str]]:
    lists = [open_class_list(hints.class_list)] if hints.class_list else _find_class_lists(tree, pairs)
    if not lists:
        return None, []
    first, *others = lists
    classes = read_class_list(first)
    for other in others:
        if read_class_list(other) != classes:
            raise InvalidDatasetError(f"{other.place}: names other classes than {first.name}; make them the same")
    return classes, [f"class names are from {first.name}"]


def _find_kind(classes: ClassList | None, first: File, fixes: Fixes) -> MaskKind:
    if classes and not (classes.values and classes.colours):
        return MaskKind.COLOUR if classes.colours else MaskKind.VALUE
    header = read_mask_header(first)
    if isinstance(header, Finding) or header.is_jpeg or not header.has_colour:
        return MaskKind.VALUE
    return MaskKind.VALUE if not classes and Fix.GREY_RGB_MASKS in fixes else MaskKind.COLOUR


def _read_classes(tree: Tree, masks: Sequence[File], classes: ClassList | None, fixes: Fixes) -> MaskClasses:
    if _find_kind(classes, masks[0], fixes) is MaskKind.COLOUR:
        return read_colour_classes(tree.place, masks, classes and classes.colours, fixes)
    return read_value_classes(tree.place, masks, classes and classes.values, fixes)


def _pair_all(tree: Tree, pairs: Sequence[FolderPair]) -> _Files:
    masks: dict[str, str] = {}
    findings: list[Finding] = []
    endings: set[str] = set()
    for pair in pairs:
        pairing = pair_files(tree, pair)
        masks |= pairing.masks
        findings += pairing.findings
        endings |= pairing.endings
    notes: list[str] = []
    if endings:
        notes.append(f"names were paired without their endings {', '.join(sorted(endings))}")
    if outside := _count_outside(tree, pairs):
        notes.append(f"{outside} pictures lie in other folders and were not looked at")
    return _Files(masks, tuple(findings), tuple(notes))


def _count_outside(tree: Tree, pairs: Sequence[FolderPair]) -> int:
    inside = sum(len(list_pictures(tree, pair)) + len(list_masks(tree, pair)) for pair in pairs)
    return len(keep_pictures(tree.files_below())) - inside


def _find_splits(tree: Tree, pictures: Sequence[str]) -> tuple[dict[str, Split], list[str]]:
    """Splits as folders name them, and where none does, as lists of names do."""
    splits = {name: split for name in pictures if (split := split_of_path(name))}
    without = [name for name in pictures if name not in splits]
    listed, notes = read_split_lists(tree, without) if without else ({}, [])
    if listed and len(listed) < len(without):
        notes.append(f"{len(without) - len(listed)} pictures are in no list of splits")
    return splits | listed, notes
