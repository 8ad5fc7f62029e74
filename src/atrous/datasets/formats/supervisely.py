"""Supervisely: a project's meta.json and, in each dataset, pictures in img/ with one JSON file each in ann/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.json_file import get_list, get_text, read_json, show_value
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.outlines.outline import UNPAINTED_VALUE, UNSCORED_VALUE
from atrous.datasets.outlines.supervisely_file import EXPORT_AGAIN, ObjectClass, SuperviselyFile
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Hints

DESCRIPTION = "meta.json beside folders, such as train/, that hold img/NAME.jpg and ann/NAME.jpg.json (Supervisely)"
META = "meta.json"
PICTURES, ANNOTATIONS = "img", "ann"


def recognise(tree: Tree) -> bool:
    """Whether there is a project's meta.json and a dataset's folder of annotations."""
    return tree.has(META) and next(iter(_find_datasets(tree)), None) is not None


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:  # noqa: ARG001 - its own list of classes is complete
    """Pair pictures and annotations by their names.

    Values are 1 for the first class of meta.json and so on; 0 is what no object covers.

    Raises:
        InvalidDatasetError: naming meta.json, if it does not tell the classes.
    """
    classes = _read_classes(tree.file(META))
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for folder in sorted(_find_datasets(tree)):
        _pair(tree, folder, classes, items, findings)
    names = {UNPAINTED_VALUE: "background"} | {one.value: one.title for one in classes}
    return Source(names, tuple(sorted(items, key=lambda item: item.image.name)), tuple(findings))


def _find_datasets(tree: Tree) -> Iterable[str]:
    """Folders with img/ and ann/ in them; datasets may hold further datasets."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        inner = tree.folders(folder)
        names = {path.rpartition("/")[2] for path in inner}
        if {PICTURES, ANNOTATIONS} <= names and any(
            name.endswith(".json") for name in tree.files(_annotations(folder))
        ):
            yield folder
        waiting += (path for path in reversed(inner) if path.rpartition("/")[2] not in {PICTURES, ANNOTATIONS})


def _annotations(folder: str) -> str:
    return f"{folder}/{ANNOTATIONS}".lstrip("/")


def _find_annotations(tree: Tree, folder: str) -> set[str]:
    return {name for name in tree.files(_annotations(folder)) if name.endswith(".json")}


def _read_classes(file: File) -> tuple[ObjectClass, ...]:
    try:
        entries = get_list(read_json(file), "classes")
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; {EXPORT_AGAIN}") from error
    if not 0 < len(entries) < UNSCORED_VALUE:
        raise InvalidDatasetError(f"{file.place}: lists {len(entries)} classes; {EXPORT_AGAIN}")
    classes: dict[str, ObjectClass] = {}
    for value, entry in enumerate(entries, start=1):
        title = get_text(entry, "title")
        if not title or not title.strip() or title in classes:
            reason = f"has no title, or that of another class ({show_value(title)})"
            raise InvalidDatasetError(f"{file.place}: class {value} {reason}; {EXPORT_AGAIN}")
        classes[title] = ObjectClass(title, value, get_text(entry, "shape") or "")
    return tuple(classes.values())


def _pair(
    tree: Tree, folder: str, classes: tuple[ObjectClass, ...], items: list[SourceItem], findings: list[Finding]
) -> None:
    pictures = f"{folder}/{PICTURES}".lstrip("/")
    annotations = _find_annotations(tree, folder)
    split = _find_split(folder)
    for name in keep_pictures(tree.files(pictures)):
        picture = tree.file(name)
        # Old exports leave out the suffix of the picture.
        wanted = [f"{_annotations(folder)}/{base}.json" for base in (picture.base_name, picture.stem)]
        annotation = next((path for path in wanted if path in annotations), None)
        if annotation is None:
            reason = f"has no annotation {tree.file(wanted[0]).name}"
            findings.append(Finding(Kind.NO_LABEL, picture.name, reason, "annotate the picture or remove it"))
            continue
        annotations.remove(annotation)
        items.append(SourceItem(picture, split, SuperviselyFile(tree.file(annotation), classes)))
    for name in sorted(annotations):
        missing = tree.file(f"{pictures}/{name.rpartition('/')[2].removesuffix('.json')}").name
        reason = f"is annotated in {tree.file(name).name}, but not there"
        findings.append(Finding(Kind.NO_PICTURE, missing, reason, "add the picture or remove its annotation"))


def _find_split(folder: str) -> Split | None:
    """By the innermost folder that is named after a split."""
    named = (SPLIT_NAMES.get(part.lower()) for part in reversed(folder.split("/")))
    return next((split for split in named if split), None)
