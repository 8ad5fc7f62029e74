"""Class ids as matrices in MATLAB files beside the pictures: SBD, PASCAL-Context, SiftFlow and one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import find_class_list, open_class_list, read_class_list
from atrous.datasets.classes.voc_classes import VOC_CLASSES
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.mat_file import MatFile, find_names, has_sbd_classes
from atrous.datasets.masks.mat_variables import read_variables
from atrous.datasets.masks.voc_lists import read_voc_lists
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from atrous.datasets.files.tree import Tree
    from atrous.datasets.source import Hints

DESCRIPTION = (
    "images/NAME.jpg with masks/NAME.mat (or labels/, annotations/, img/ with SBD's cls/), as they are or in train/, "
    "valid/ and test/, and a classes.csv beside these folders"
)
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "annotation", "gts", "gt", "cls", "semanticlabels")
SUFFIX = ".mat"
FIRST_FILE_BYTES = 1 << 28  # its picture, which would tell how much it may hold, is not opened yet
# What masks of SiftFlow and others hold where nothing was labelled; their names count from 1.
UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class _Part:
    folder: str
    images: str
    masks: str
    split: Split | None


@dataclass(frozen=True, slots=True)
class _Classes:
    """Values and names; `required` are the names that each file must hold as well, if they come from a file."""

    values: dict[int, str]
    note: str = ""
    required: tuple[str, ...] = ()


def recognise(tree: Tree) -> bool:
    """Whether there is a folder of pictures beside one of MATLAB files."""
    return bool(_find_parts(tree))


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and MATLAB files by their names.

    Raises:
        InvalidDatasetError: if there are no class names, or a list cannot be read.
    """
    parts = _find_parts(tree)
    classes = _find_classes(tree, parts, hints)
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for part in parts:
        _pair(tree, part, classes.required, items, findings)
    notes = (classes.note,) if classes.note else ()
    return Source(dict(sorted(classes.values.items())), tuple(items), tuple(findings), notes)


def _find_parts(tree: Tree) -> list[_Part]:
    parts = [_find_part(tree, "", None)]
    parts += [_find_part(tree, folder, SPLIT_NAMES.get(folder.lower())) for folder in tree.folders()]
    return [part for part in parts if part]


def _find_part(tree: Tree, folder: str, split: Split | None) -> _Part | None:
    folders = {path.rpartition("/")[2].lower(): path for path in tree.folders(folder)}
    images = next((folders[name] for name in IMAGE_FOLDERS if name in folders), None)
    candidates = [folders[name] for name in MASK_FOLDERS if name in folders]
    masks = next((path for path in candidates if _find_masks(tree, path)), None)
    return _Part(folder, images, masks, split) if images and masks else None


def _find_masks(tree: Tree, folder: str) -> list[str]:
    return [name for name in tree.files_below(folder) if name.lower().endswith(SUFFIX)]


# Classes


def _find_classes(tree: Tree, parts: list[_Part], hints: Hints) -> _Classes:
    listed = open_class_list(hints.class_list) if hints.class_list else find_class_list(tree)
    if listed:
        values = read_class_list(listed).values
        if not values:
            raise InvalidDatasetError(
                f"{listed.place}: names colours; matrices need values: write lines such as 1,road"
            )
        return _Classes(values)
    first = tree.file(_find_masks(tree, parts[0].masks)[0])
    variables = read_variables(first, FIRST_FILE_BYTES)
    found = {} if isinstance(variables, Finding) else variables
    if names := find_names(found):
        values = {0: UNLABELLED} | dict(enumerate(names, start=1))
        note = f"class names are those in {first.name}, counted from 1; value 0 has no name there and becomes void"
        return _Classes(values, note, names)
    if has_sbd_classes(found):
        return _Classes(dict(VOC_CLASSES), "masks are SBD's (GTcls): their values are the 20 classes of PASCAL VOC")
    raise InvalidDatasetError(f"{tree.place}: has no list of classes; write a classes.csv with lines such as 1,road")


# Pairs


def _pair(tree: Tree, part: _Part, names: tuple[str, ...], items: list[SourceItem], findings: list[Finding]) -> None:
    lists = read_voc_lists(tree, part.folder)
    masks = {_key(part.masks, name): name for name in _find_masks(tree, part.masks)}
    for name in keep_pictures(tree.files_below(part.images)):
        key = _key(part.images, name)
        picture = tree.file(name)
        mask = masks.pop(key, None)
        if mask is None:
            reason = f"has no mask {tree.file(part.masks).name}/{key}{SUFFIX}"
            findings.append(Finding(Kind.NO_LABEL, picture.name, reason, "add the mask or remove the picture"))
            continue
        if conflict := lists.find_conflict(key, picture.name):
            findings.append(conflict)
        split = part.split or lists.choose(key) or _split_inside(key)
        items.append(SourceItem(picture, split, MatFile(tree.file(mask), names)))
    findings += [
        Finding(Kind.NO_PICTURE, tree.file(name).name, "has no picture of its name", "add it or remove the mask")
        for name in masks.values()
    ]


def _key(root: str, name: str) -> str:
    return PurePosixPath(name.removeprefix(f"{root}/")).with_suffix("").as_posix()


def _split_inside(key: str) -> Split | None:
    first, _, rest = key.partition("/")
    return SPLIT_NAMES.get(first.lower()) if rest else None
