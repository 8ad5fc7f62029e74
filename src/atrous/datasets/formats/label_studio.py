"""Label Studio's JSON export: tasks with brush strokes, polygons, rectangles and ellipses, beside their pictures."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import open_class_list
from atrous.datasets.files.json_file import read_json
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.files.picture_search import PictureSearch
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.pairing import split_of_path
from atrous.datasets.outlines.label_studio_task import Task, read_task
from atrous.datasets.outlines.named_classes import number_names, order_names, read_names
from atrous.datasets.outlines.outline import UNSCORED_VALUE, Outline, OutlineLabel
from atrous.datasets.source import NO_HINTS, Source, SourceItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Hints
    from atrous.datasets.splits import Split

DESCRIPTION = "Label Studio's JSON export (a list of tasks) with the pictures beside it or in folders"
MAX_FILES = 50  # a folder with more JSON files has one a picture
HEAD_BYTES = 1 << 20
KEYS = (b'"annotations"', b'"result"')
EXPORT_AGAIN = "export the project again as JSON"


def recognise(tree: Tree) -> bool:
    """Whether a JSON file in the folder begins as a list of tasks."""
    return bool(_find_exports(tree))


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Read the tasks and find their pictures.

    Raises:
        InvalidDatasetError: if an export or the list of classes cannot be read.
    """
    tasks = [task for file in _find_exports(tree) for task in _read_tasks(file)]
    listed = read_names(open_class_list(hints.class_list)) if hints.class_list else []
    found = {region.class_name for task in tasks for region in task.regions or () if region.class_name}
    names, notes = order_names(found, listed)
    values = {name: value for value, name in number_names(names).items() if value}
    items, findings = _read_items(tree, tasks, values)
    if several := sum(task.finished_count > 1 for task in tasks):
        notes.append(f"tasks with several finished annotations, of which the first counts: {several}")
    if items:
        notes.append("regions are painted in the order of the file, since Label Studio has no layers")
    return Source(number_names(names), tuple(items), tuple(findings), tuple(notes))


# Exports


def _find_exports(tree: Tree) -> list[File]:
    names = [name for name in tree.files() if name.lower().endswith(".json")]
    files = [tree.file(name) for name in names] if len(names) <= MAX_FILES else []
    return [file for file in files if _looks_like(file)]


def _looks_like(file: File) -> bool:
    try:
        head = file.read_head(HEAD_BYTES)
    except UnreadableFileError:
        return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and all(key in head for key in KEYS)


def _read_tasks(file: File) -> list[Task]:
    try:
        content: Any = read_json(file)
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; {EXPORT_AGAIN}") from error
    if not isinstance(content, list):
        raise InvalidDatasetError(f"{file.place}: is no list of tasks; {EXPORT_AGAIN}")
    return [read_task(entry) for entry in cast("list[Any]", content)]


# Pictures


def _read_items(tree: Tree, tasks: Iterable[Task], values: Mapping[str, int]) -> tuple[list[SourceItem], list[Finding]]:
    search = PictureSearch(tree)
    by_picture: defaultdict[str, list[Task]] = defaultdict(list)
    findings: list[Finding] = []
    for task in tasks:
        found = _locate(search, task)
        if len(found) == 1:
            by_picture[found[0]].append(task)
        else:
            findings.append(_describe_missing(task, found))
    items: list[SourceItem] = []
    for name, group in by_picture.items():
        item = _read_item(tree.file(name), group, values, split_of_path(name))
        if isinstance(item, Finding):
            findings.append(item)
        else:
            items.append(item)
    return items, findings + _find_unlisted(tree, by_picture)


def _locate(search: PictureSearch, task: Task) -> list[str]:
    for path in task.paths:
        if found := search.find(path, ("", "images")):
            return found
    return []


def _describe_missing(task: Task, found: Sequence[str]) -> Finding:
    name = posixpath.basename(task.paths[-1]) if task.paths else f"task {task.name}"
    if found:
        reason = f"is named by task {task.name} and may be {' or '.join(found[:3])}"
        return Finding(Kind.SAME_NAME, name, reason, "give each picture a name of its own")
    reason = f"is named by task {task.name}, but not there" if task.paths else "names no picture"
    return Finding(Kind.NO_PICTURE, name, reason, "put the picture beside the export")


def _read_item(
    file: File, tasks: Sequence[Task], values: Mapping[str, int], split: Split | None
) -> SourceItem | Finding:
    if len(tasks) > 1:
        reason = f"is labelled by tasks {' and '.join(task.name for task in tasks[:3])}"
        return Finding(Kind.SAME_NAME, file.name, reason, "keep one of them")
    (task,) = tasks
    if task.regions is None:
        reason = f"has no finished annotation in task {task.name}"
        return Finding(Kind.NO_LABEL, file.name, reason, "annotate it in Label Studio or remove it")
    outlines = tuple(
        Outline(region.name, values.get(region.class_name, UNSCORED_VALUE), region.shape) for region in task.regions
    )
    return SourceItem(file, split, OutlineLabel(file, task.size, outlines))


def _find_unlisted(tree: Tree, listed: Mapping[str, Sequence[Task]]) -> list[Finding]:
    folders = {posixpath.dirname(name) for name in listed}
    pictures = [name for folder in sorted(folders) for name in keep_pictures(tree.files(folder))]
    return [
        Finding(Kind.NO_LABEL, tree.file(name).name, "has no task in the export", "annotate or remove it")
        for name in pictures
        if name not in listed
    ]
