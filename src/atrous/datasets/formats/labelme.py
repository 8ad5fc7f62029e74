"""LabelMe: one JSON file of shapes beside each picture, or with the picture inside."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.datasets.classes.class_list import find_class_list, open_class_list
from atrous.datasets.files.picture_files import is_picture, keep_pictures
from atrous.datasets.files.picture_search import PictureSearch
from atrous.datasets.files.tree import File, UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.pairing import split_of_path
from atrous.datasets.outlines.embedded_pictures import EmbeddedPicture
from atrous.datasets.outlines.labelme_file import LabelMeLabel, LabelMeSheet, read_sheet
from atrous.datasets.outlines.named_classes import number_names, order_names, read_names
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atrous.datasets.files.tree import Tree
    from atrous.datasets.source import Hints

DESCRIPTION = "labelme's NAME.json beside each NAME.jpg, in one folder or several; labels.txt may order the classes"
LABELS = "labels.txt"
USUAL_FOLDERS = frozenset(
    {"annotations", "annotation", "json", "jsons", "labels", "label", "images"} | set(SPLIT_NAMES)
)
MAX_FOLDERS = 50
SAMPLE = 3  # JSON files a folder that are looked at
HEAD_BYTES = 64 * 1024
# Any order of keys is met, and a picture inside may push most of them out of the head.
KEYS = (b'"shapes"', b'"shape_type"', b'"imagePath"', b'"imageData"', b'"imageHeight"', b'"lineColor"', b'"flags"')


def recognise(tree: Tree) -> bool:
    """Whether labelme's files lie in the folder itself, in a usual folder in it, or in two or more others."""
    if _has_sheets(tree, ""):
        return True
    folders = tree.folders()[:MAX_FOLDERS]
    inside = [inner for folder in folders if folder.lower() in SPLIT_NAMES for inner in tree.folders(folder)]
    found = [folder for folder in folders + inside[:MAX_FOLDERS] if _has_sheets(tree, folder)]
    return len(found) > 1 or any(posixpath.basename(folder).lower() in USUAL_FOLDERS for folder in found)


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Read which picture each file labels and with which classes; the shapes are read when a label is loaded.

    Raises:
        InvalidDatasetError: if the list of classes cannot be read or there are too many.
    """
    sheets, findings = _read_sheets(tree)
    class_list = open_class_list(hints.class_list) if hints.class_list else _find_labels(tree)
    listed = read_names(class_list) if class_list else []
    names, notes = order_names({name for sheet in sheets for name in sheet.names}, listed)
    pictures, more = _find_pictures(tree, sheets)
    items = [
        SourceItem(
            picture, split_of_path(picture.name.removeprefix(tree.prefix)), LabelMeLabel(sheet.file, tuple(names))
        )
        for sheet, picture in pictures
    ]
    findings += more + _find_unlabelled(tree, items, findings)
    if inside := sum(isinstance(item.image.container, EmbeddedPicture) for item in items):
        notes.append(f"pictures taken from inside their JSON files: {inside}")
    return Source(number_names(names), tuple(items), tuple(findings), tuple(notes))


# JSON files


def _has_sheets(tree: Tree, folder: str) -> bool:
    names = [name for name in tree.files(folder) if _is_json(name)]
    return any(_looks_like(tree.file(name)) for name in names[:SAMPLE])


def _is_json(name: str) -> bool:
    return name.lower().endswith(".json")


def _looks_like(file: File) -> bool:
    try:
        head = file.read_head(HEAD_BYTES)
    except UnreadableFileError:
        return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and sum(key in head for key in KEYS) > 1


def _read_sheets(tree: Tree) -> tuple[list[LabelMeSheet], list[Finding]]:
    sheets: list[LabelMeSheet] = []
    findings: list[Finding] = []
    for name in filter(_is_json, tree.files_below()):
        file = tree.file(name)
        try:
            sheets.append(read_sheet(file))
        except UnreadableFileError as error:
            remedy = "save it with labelme again or remove it"
            findings.append(Finding(Kind.DAMAGED_LABEL, file.name, str(error), remedy))
    return sheets, findings


def _find_labels(tree: Tree) -> File | None:
    """The list of classes in the folder or, as in labelme's own examples, beside it."""
    if found := find_class_list(tree):
        return found
    parent, _, _ = tree.prefix.rstrip("/").rpartition("/")
    beside = File(tree.container, f"{parent}/{LABELS}" if parent else LABELS)
    try:
        return beside if tree.prefix and beside.read_head(1) else None
    except UnreadableFileError:
        return None


# Pictures


def _find_pictures(tree: Tree, sheets: Iterable[LabelMeSheet]) -> tuple[list[tuple[LabelMeSheet, File]], list[Finding]]:
    """Each file with its picture; what has none, or one that is not certain."""
    search = PictureSearch(tree)
    by_picture: defaultdict[str, list[tuple[LabelMeSheet, File]]] = defaultdict(list)
    findings: list[Finding] = []
    for sheet in sheets:
        candidates = _locate(tree, search, sheet)
        if len(candidates) == 1:
            by_picture[candidates[0].name].append((sheet, candidates[0]))
        elif candidates:
            reason = f"may belong to {' or '.join(file.name for file in candidates[:3])}"
            findings.append(Finding(Kind.SAME_NAME, sheet.file.name, reason, "put it beside its picture"))
        else:
            reason = "has no picture of its name, and none inside"
            findings.append(Finding(Kind.NO_PICTURE, sheet.file.name, reason, "add the picture or remove the label"))
    for name in [name for name, pairs in by_picture.items() if len(pairs) > 1]:
        files = " and ".join(sheet.file.name for sheet, _ in by_picture.pop(name))
        findings.append(Finding(Kind.SAME_NAME, name, f"is labelled by {files}", "keep one of them"))
    return [pair for pairs in by_picture.values() for pair in pairs], findings


def _locate(tree: Tree, search: PictureSearch, sheet: LabelMeSheet) -> list[File]:
    """Where labelme says, else by its name or the JSON file's own in the same folder, else anywhere, else inside."""
    folder = posixpath.dirname(sheet.file.name.removeprefix(tree.prefix))
    path = sheet.image_path.replace("\\", "/")
    own_stem = [name for name in keep_pictures(tree.files(folder)) if _stem(name) == sheet.file.stem]
    direct = [posixpath.normpath(posixpath.join(folder, name)) for name in (path, posixpath.basename(path))]
    for name in direct:
        if is_picture(name) and tree.has(name):
            return [tree.file(name)]
    found = own_stem or (search.find(posixpath.basename(path), ()) if is_picture(path) else [])
    if len(found) != 1 and sheet.embedded_suffix:
        base_name = posixpath.basename(path) if is_picture(path) else sheet.file.stem + sheet.embedded_suffix
        name = posixpath.join(posixpath.dirname(sheet.file.name), base_name)
        return [File(EmbeddedPicture(tree.container, sheet.file.name), name)]
    return [tree.file(name) for name in found]


def _find_unlabelled(tree: Tree, items: Sequence[SourceItem], findings: Sequence[Finding]) -> list[Finding]:
    """Pictures without a label in the folders of those with one, and beside JSON files."""
    labelled = {item.image.name.removeprefix(tree.prefix) for item in items}
    named = {finding.file.removeprefix(tree.prefix) for finding in findings}
    # Beside a damaged file of its name, a picture needs no finding of its own.
    damaged = {PurePosixPath(name).with_suffix("").as_posix() for name in named}
    folders = {posixpath.dirname(name) for name in labelled | set(filter(_is_json, named))}
    pictures = [name for folder in sorted(folders) for name in keep_pictures(tree.files(folder))]
    return [
        Finding(Kind.NO_LABEL, tree.file(name).name, f"has no {_stem(name)}.json", "annotate or remove it")
        for name in pictures
        if name not in labelled | named and PurePosixPath(name).with_suffix("").as_posix() not in damaged
    ]


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
