"""YOLO segmentation: images/NAME.jpg with labels/NAME.txt, as Ultralytics and Roboflow lay them out."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import open_class_list
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.pairing import split_of_path
from atrous.datasets.outlines.named_classes import read_names
from atrous.datasets.outlines.outline import UNPAINTED_VALUE, UNSCORED_VALUE
from atrous.datasets.outlines.yolo_config import YoloConfig, find_config, find_place, read_config
from atrous.datasets.outlines.yolo_file import BOX_NUMBERS, YoloLabel
from atrous.datasets.source import NO_HINTS, Source, SourceItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Hints
    from atrous.datasets.splits import Split

DESCRIPTION = (
    "images/ and labels/ with NAME.txt (class x y x y ... from 0 to 1) for each NAME.jpg, in train/ and val/ or with "
    "train/ and val/ inside, and a data.yaml or classes.txt of class names"
)
IMAGES, LABELS = "images", "labels"
CLASS_FILES = ("classes.txt", "labels/classes.txt", "classes.names", "obj.names")
NO_LABELS = frozenset({"classes.txt", "readme.txt", "notes.txt"})
MAX_DEPTH = 2  # of labels/ in the tree
SAMPLE = 20
HEAD_BYTES = 4096


def recognise(tree: Tree) -> bool:
    """Whether texts of numbers lie in labels/ beside images/; if all are empty, a data.yaml must be there."""
    for labels in _find_label_folders(tree):
        texts = _find_texts(tree, labels)[:SAMPLE]
        looks = {_looks_like(tree.file(name)) for name in texts}
        if False not in looks and (True in looks or (texts and find_config(tree))):
            return True
    return False


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and texts by their names; the texts are read when a label is loaded.

    Raises:
        InvalidDatasetError: if no file names the classes, or the one that does cannot be read.
    """
    config_file = find_config(tree)
    config = read_config(config_file) if config_file else YoloConfig({}, {})
    names = _find_names(tree, config, hints)
    notes: list[str] = []
    splits = _find_splits(tree, config, notes)
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for labels in _find_label_folders(tree):
        pictures, strays = _pair(tree, labels)
        findings += strays
        items += [
            SourceItem(tree.file(name), _split_of(name, splits), YoloLabel(tree.file(text), max(names) + 1))
            for name, text in pictures.items()
        ]
    classes = {UNPAINTED_VALUE: "background"} | {index + 1: name for index, name in names.items()}
    notes.append("larger objects are painted first, as Ultralytics does, so smaller ones lie over them")
    return Source(classes | {UNSCORED_VALUE: "void"}, tuple(items), tuple(findings), tuple(notes))


# Files


def _find_label_folders(tree: Tree) -> list[str]:
    """Folders of texts that have one of pictures beside them."""
    level, found = [""], list[str]()
    for _ in range(MAX_DEPTH + 1):
        level = [inner for folder in level for inner in tree.folders(folder)]
        found += [folder for folder in level if posixpath.basename(folder).lower() == LABELS]
    return [folder for folder in found if _images_beside(tree, folder)]


def _images_beside(tree: Tree, labels: str) -> str | None:
    beside = tree.folders(posixpath.dirname(labels))
    return next((folder for folder in beside if posixpath.basename(folder).lower() == IMAGES), None)


def _find_texts(tree: Tree, labels: str) -> list[str]:
    texts = [name for name in tree.files_below(labels) if name.lower().endswith(".txt")]
    return [name for name in texts if posixpath.basename(name).lower() not in NO_LABELS]


def _looks_like(file: File) -> bool | None:
    """Whether the first line holds at least a class and a box; None if the file is empty."""
    try:
        lines = file.read_head(HEAD_BYTES).decode("utf-8-sig", errors="replace").split("\n")
    except UnreadableFileError:
        return None
    first = next((line for line in lines if line.strip()), "")
    if not first:
        return None
    # The last word may be cut off.
    words = first.split()[: 1 + BOX_NUMBERS]
    return len(words) == 1 + BOX_NUMBERS and all(_is_number(word) for word in words)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _pair(tree: Tree, labels: str) -> tuple[dict[str, str], list[Finding]]:
    """Picture -> text of its name, and what has no other."""
    images = _images_beside(tree, labels) or ""
    texts = {_key(labels, name): name for name in _find_texts(tree, labels)}
    pictures = {name: _key(images, name) for name in keep_pictures(tree.files_below(images))}
    missing = "add it, empty if the picture shows nothing, or remove the picture"
    findings = [
        Finding(Kind.NO_LABEL, tree.file(name).name, f"has no {labels}/{key}.txt", missing)
        for name, key in pictures.items()
        if key not in texts
    ]
    unpaired = sorted(texts.keys() - pictures.values())
    findings += [
        Finding(Kind.NO_PICTURE, tree.file(texts[key]).name, "has no picture of its name", "add it or remove the text")
        for key in unpaired
    ]
    return {name: texts[key] for name, key in pictures.items() if key in texts}, findings


def _key(root: str, name: str) -> str:
    return PurePosixPath(name.removeprefix(f"{root}/")).with_suffix("").as_posix()


# Classes and splits


def _find_names(tree: Tree, config: YoloConfig, hints: Hints) -> dict[int, str]:
    """Class index from 0 -> name."""
    if hints.class_list:
        return dict(enumerate(read_names(open_class_list(hints.class_list))))
    if config.names:
        return config.names
    present = next((name for name in CLASS_FILES if tree.has(name)), None)
    if present is None:
        raise InvalidDatasetError(
            f"{tree.place}: no file names its classes; add a data.yaml with names: [road, sign], or give a list of them"
        )
    return dict(enumerate(read_names(tree.file(present))))


def _find_splits(tree: Tree, config: YoloConfig, notes: list[str]) -> dict[str, Split]:
    """Folder or picture -> split, as the data.yaml says."""
    splits: dict[str, Split] = {}
    twice: list[str] = []
    for split, path in ((split, path) for split, paths in config.places.items() for path in paths):
        place = find_place(tree, path)
        if place is None:
            notes.append(f"data.yaml names {path[:80]!r} for {split}, which is not there")
            continue
        names = _read_list(tree, place) if tree.has(place) else [place]
        twice += [name for name in names if splits.setdefault(name, split) is not split]
    if twice:
        notes.append(f"data.yaml gives {twice[0]} to two splits, of which the first counts ({len(twice)} such places)")
    return splits


def _read_list(tree: Tree, name: str) -> list[str]:
    try:
        lines = tree.file(name).read().decode("utf-8-sig", errors="replace").splitlines()
    except UnreadableFileError:
        return []
    return [place for line in lines if line.strip() and (place := find_place(tree, line.strip()))]


def _split_of(name: str, splits: Mapping[str, Split]) -> Split | None:
    """Of a picture: the longest path that data.yaml names, else a folder called after a split."""
    places = [name, *(parent.as_posix() for parent in PurePosixPath(name).parents)]
    given = next((splits[place] for place in places if place in splits), None)
    return given or split_of_path(name)
