"""COCO: objects as polygons or run lengths in JSON files, as Roboflow, CVAT, labelme and COCO itself lay them out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.files.picture_search import PictureSearch
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.outlines.coco_document import (
    EXPORT_AGAIN,
    NULL_NAME,
    Annotation,
    Category,
    Document,
    read_document,
)
from atrous.datasets.outlines.outline import UNPAINTED_VALUE, UNSCORED_VALUE, Outline, OutlineLabel
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Hints

DESCRIPTION = (
    "train/, valid/ and test/ with _annotations.coco.json beside their pictures, or COCO .json files (such as "
    "instances_train2017.json) in annotations/ or beside the pictures or an images/ folder"
)
SPLIT_FILE = "_annotations.coco.json"
ANNOTATION_FOLDERS = ("annotations", "annotation")
IMAGES_FOLDER = "images"
# COCO's files that hold no outlines of things; panoptic ones are refused with a reason if there is nothing else.
OTHER_FILES = ("captions", "person_keypoints", "image_info")
PANOPTIC = "panoptic"
INSTANCES = "instances"
MAX_FILES = 50  # a folder with more JSON files has one a picture, which is no COCO
HEAD_BYTES = 1 << 20
KEYS = (b'"images"', b'"annotations"', b'"categories"')
INNER_KEYS = (b'"file_name"', b'"segmentation"', b'"supercategory"')


def recognise(tree: Tree) -> bool:
    """Whether there is Roboflow's file in a split's folder, or a COCO file in one of the usual places."""
    return bool(_find_files(tree))


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:  # noqa: ARG001
    """Read categories, pictures and outlines.

    Values are category ids where these fit; 0 is what no outline covers, 65535 what a crowd region or a box without an
    outline covers.

    Raises:
        InvalidDatasetError: naming the file, if it is no COCO or contradicts itself.
    """
    files = _find_files(tree)
    documents = [read_document(tree.file(name), name.rpartition("/")[0], _find_split(name, tree)) for name in files]
    categories, notes = _drop_placeholders(documents)
    values, value_notes = _choose_values(documents, categories)
    items, findings = _Pictures(tree, documents, values).read()
    classes = {UNPAINTED_VALUE: "background"} | {value: name for (_, name), value in values.items()}
    annotations = list(_all_annotations(documents))
    if any(annotation.is_crowd or annotation.is_box for annotation in annotations):
        classes[UNSCORED_VALUE] = "void"
    notes += [*value_notes, *_describe(documents, annotations), *_describe_left_out(tree, files)]
    return Source(dict(sorted(classes.items())), tuple(items), tuple(findings), tuple(notes))


def _all_annotations(documents: Iterable[Document]) -> Iterable[Annotation]:
    return (annotation for document in documents for group in document.annotations.values() for annotation in group)


def _describe(documents: Sequence[Document], annotations: Sequence[Annotation]) -> list[str]:
    """What was decided, as sentences for people."""
    notes: list[str] = []
    if annotations:
        is_layered = all(document.is_layered for document in documents if document.annotations)
        order = "z_order, the highest last" if is_layered else "the file, since COCO has no layers"
        notes.append(f"outlines are painted in the order of {order}")
    if any(annotation.is_crowd for annotation in annotations):
        notes.append("regions marked iscrowd become void")
    if null_count := sum(document.null_count for document in documents):
        notes.append(f"annotations that only say that their picture shows nothing: {null_count}")
    empty = sum(not document.annotations.get(key) for document in documents for key in document.pictures)
    if empty:
        notes.append(f"pictures without any annotation, which become background throughout: {empty}")
    return notes


# Files


def _find_files(tree: Tree) -> list[str]:
    """The COCO files that count."""
    splits = [folder for folder in tree.folders() if folder.lower() in SPLIT_NAMES]
    by_split = [f"{folder}/{SPLIT_FILE}" for folder in splits if tree.has(f"{folder}/{SPLIT_FILE}")]
    if by_split:
        return by_split
    folders = ["", *(folder for folder in tree.folders() if folder.lower() in ANNOTATION_FOLDERS)]
    for places in (*([folder] for folder in folders), splits):
        candidates = [name for folder in places for name in _find_candidates(tree, folder)]
        if candidates:
            return _prefer(candidates)
    return []


def _find_candidates(tree: Tree, folder: str) -> list[str]:
    names = [name for name in tree.files(folder) if name.lower().endswith(".json")]
    names = [name for name in names if not _base_name(name).startswith(OTHER_FILES)]
    return [name for name in names if _looks_like(tree.file(name))] if len(names) <= MAX_FILES else []


def _prefer(names: list[str]) -> list[str]:
    """COCO's own sets describe the same pictures several times."""
    instances = [name for name in names if _base_name(name).startswith(INSTANCES)]
    with_outlines = [name for name in names if not _base_name(name).startswith(PANOPTIC)]
    return instances or with_outlines or names


def _describe_left_out(tree: Tree, files: Sequence[str]) -> list[str]:
    folders = {name.rpartition("/")[0] for name in files}
    left_out = sorted({name for folder in folders for name in _find_candidates(tree, folder)} - set(files))
    return [f"not read, since there are {INSTANCES} files: {', '.join(left_out)}"] if left_out else []


def _base_name(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _looks_like(file: File) -> bool:
    try:
        text = file.read_head(HEAD_BYTES)
    except UnreadableFileError:
        return False
    if not text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    if len(text) < HEAD_BYTES:
        return all(key in text for key in KEYS)
    return any(key in text for key in KEYS) and any(key in text for key in INNER_KEYS)


def _find_split(name: str, tree: Tree) -> Split | None:
    """The split that a file's name or folder says, such as instances_train2017.json or train/annotations.json."""
    folder = name.partition("/")[0]
    if "/" in name and folder.lower() in SPLIT_NAMES and folder in tree.folders():
        return SPLIT_NAMES[folder.lower()]
    words = re.findall(r"[a-z]+", PurePosixPath(_base_name(name)).stem)
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


# Categories


def _drop_placeholders(documents: Sequence[Document]) -> tuple[list[Category], list[str]]:
    """Categories of all files in order of id, without those that stand for the project or for nothing, if unused."""
    used = {annotation.category for annotation in _all_annotations(documents)}
    supercategories = {name for document in documents for name in document.supercategories.values()}
    listed = sorted({category for document in documents for category in document.names.items()})
    roots = {
        (key, name)
        for document in documents
        for key, name in document.names.items()
        if name in supercategories
        or (key == 0 and document.supercategories[key] == "none")
        or name.casefold() == NULL_NAME
    }
    dropped = [category for category in listed if category in roots - used] if len(listed) > 1 else []
    notes = [f"category {name!r} (id {key}) is a placeholder without annotations: dropped" for key, name in dropped]
    return [category for category in listed if category not in dropped], notes


def _choose_values(
    documents: Iterable[Document], categories: Sequence[Category]
) -> tuple[dict[Category, int], list[str]]:
    """A value for each category: its id, or a number by name where ids do not fit or differ between files."""
    ids = {key for key, _ in categories}
    names = list(dict.fromkeys(name for _, name in categories))
    for document in documents:
        _check_names(document, categories)
    if len(ids) == len(names) == len(categories) and all(UNPAINTED_VALUE < key < UNSCORED_VALUE for key in ids):
        return {category: category[0] for category in categories}, []
    if len(names) >= UNSCORED_VALUE:
        raise InvalidDatasetError(f"the annotations name {len(names)} categories; merge some, 254 is the most")
    note = f"category ids are not distinct numbers from 1 on: values 1 to {len(names)} stand for them, in order of id"
    values = {name: value for value, name in enumerate(names, start=1)}
    return {category: values[category[1]] for category in categories}, [note]


def _check_names(document: Document, categories: Sequence[Category]) -> None:
    first: dict[str, int] = {}
    wanted = set(categories)
    for key, name in document.names.items():
        if (key, name) in wanted and first.setdefault(name, key) != key:
            raise InvalidDatasetError(
                f"{document.file.place}: categories {first[name]} and {key} are both named {name!r}; rename one of them"
            )


# Pictures


class _Pictures:
    """The pictures of all documents, found in the tree."""

    def __init__(self, tree: Tree, documents: Sequence[Document], values: Mapping[Category, int]) -> None:
        self._tree = tree
        self._documents = documents
        self._values = values
        self._search = PictureSearch(tree)
        self._items: defaultdict[str, list[SourceItem]] = defaultdict(list)
        self._findings: list[Finding] = []
        self._lists_by_folder: defaultdict[str, set[str]] = defaultdict(set)

    def read(self) -> tuple[list[SourceItem], list[Finding]]:
        """Items in the order of the files, and what is missing or listed twice."""
        listed: Counter[str] = Counter()
        for document in self._documents:
            for key in document.pictures:
                if name := self._locate(document, key):
                    listed[name] += 1
                    self._lists_by_folder[name.rpartition("/")[0]].add(document.file.base_name)
                    self._read_picture(document, key, name)
            self._find_strangers(document)
        for name in [name for name, count in listed.items() if count > 1]:
            reason = f"is listed {listed[name]} times, so it is unclear which annotations are all of its"
            self._add(Kind.SAME_NAME, name, reason, "list it once")
            self._items.pop(name, None)
        self._find_unlisted(listed)
        return [item for group in self._items.values() for item in group], self._findings

    def _locate(self, document: Document, key: int) -> str | None:
        """The name of a picture in the tree, if it is certain."""
        file_name = document.pictures[key].file_name
        _check_inside(document, file_name)
        found = self._search.find(file_name, _find_folders(document))
        if len(found) > 1 and document.split:
            found = [name for name in found if _split_of_folder(name) is document.split] or found
        path = PurePosixPath(document.folder, file_name.replace("\\", "/")).as_posix()
        if not found:
            reason = f"is listed in {document.file.base_name}, but not there"
            self._add(Kind.NO_PICTURE, path, reason, "add the picture or export the dataset again")
        elif len(found) > 1:
            reason = f"is listed in {document.file.base_name} and may be {' or '.join(found[:3])}"
            self._add(Kind.SAME_NAME, path, reason, "list it with its folder")
        return found[0] if len(found) == 1 else None

    def _read_picture(self, document: Document, key: int, name: str) -> None:
        size = document.pictures[key].size
        if size is None:
            self._add(Kind.WRONG_SIZE, name, f"has no size in {document.file.base_name}", EXPORT_AGAIN)
            return
        annotations = document.annotations.get(key, ())
        file = self._tree.file(name)
        label = OutlineLabel(
            file,
            size,
            tuple(self._outline(document, one) for one in annotations if not one.is_box),
            tuple(one.shape for one in annotations if one.is_box),
        )
        self._items[name].append(SourceItem(file, document.split, label))

    def _outline(self, document: Document, annotation: Annotation) -> Outline:
        category = annotation.category
        value = UNSCORED_VALUE if category is None or annotation.is_crowd else self._values[category]
        return Outline(f"annotation {annotation.name} in {document.file.base_name}", value, annotation.shape)

    def _find_strangers(self, document: Document) -> None:
        strangers = sum(len(group) for key, group in document.annotations.items() if key not in document.pictures)
        if strangers:
            reason = f"{strangers} annotations belong to no listed picture"
            self._findings.append(Finding(Kind.NO_PICTURE, document.file.name, reason, EXPORT_AGAIN))

    def _find_unlisted(self, listed: Mapping[str, int]) -> None:
        for folder, lists in sorted(self._lists_by_folder.items()):
            for name in keep_pictures(self._tree.files(folder)):
                if name not in listed:
                    reason = f"is not listed in {' or '.join(sorted(lists))}"
                    self._add(Kind.NO_LABEL, name, reason, "annotate or remove it")

    def _add(self, kind: Kind, name: str, reason: str, remedy: str) -> None:
        self._findings.append(Finding(kind, self._tree.file(name).name, reason, remedy))


def _check_inside(document: Document, file_name: str) -> None:
    name = PurePosixPath(file_name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or not name.name or "\0" in file_name:
        where = document.file.place
        raise InvalidDatasetError(f"{where}: file name {file_name[:80]!r} leads out of the dataset; {EXPORT_AGAIN}")


def _find_folders(document: Document) -> list[str]:
    """Where a document's pictures may lie, such as train2017/ for annotations/instances_train2017.json."""
    part = document.file.stem.rpartition("_")[2]
    inside = [document.folder, f"{document.folder}/{IMAGES_FOLDER}"] if document.folder else []
    return [*inside, "", IMAGES_FOLDER, part, f"{IMAGES_FOLDER}/{part}"]


def _split_of_folder(name: str) -> Split | None:
    words = [word for folder in name.lower().split("/")[:-1] for word in re.findall(r"[a-z]+", folder)]
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
