"""COCO: objects as polygons or run lengths in a JSON file, as Roboflow exports it and as a single file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import orjson

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.findings import Finding
from atrous.datasets.outlines import UNPAINTED_VALUE, UNSCORED_VALUE, Outline, OutlineLabel
from atrous.datasets.picture_files import list_folders, list_pictures
from atrous.datasets.source import Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

DESCRIPTION = (
    "train/, valid/ and test/ with _annotations.coco.json beside their pictures, or one COCO .json beside the "
    "pictures or an images/ folder"
)
SPLIT_FILE = "_annotations.coco.json"
IMAGES_FOLDER = "images"
EXPORT_AGAIN = "export the dataset again as COCO JSON"


Json: TypeAlias = dict[str, Any]
# A category as one file has it; the same id may mean something else in the next file.
Category: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class _Document:
    """One JSON file.

    Attributes:
        names: category id -> name.
        supercategories: category id -> the name of the group it belongs to.
        annotations: by image id, in the order of the file.
    """

    path: Path
    split: Split | None
    names: dict[int, str]
    supercategories: dict[int, str]
    pictures: dict[int, Json]
    annotations: dict[int, list[Json]]

    def category_of(self, annotation: Json) -> Category:
        """What an annotation shows."""
        category_id = annotation["category_id"]
        return category_id, self.names[category_id]


def recognise(folder: Path) -> bool:
    """Whether there is Roboflow's file in a split's folder, or one COCO file."""
    return bool(_find_files(folder))


def read(folder: Path) -> Source:
    """Read categories, pictures and outlines.

    Values are category ids where these fit; 0 is what no outline covers, 65535 what a crowd region covers.

    Raises:
        InvalidDatasetError: naming the file, if it is no COCO or contradicts itself.
    """
    documents = [_read_document(path, split) for path, split in _find_files(folder).items()]
    categories, notes = _drop_placeholders(documents)
    values, value_notes = _choose_values(documents, categories)
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for document in documents:
        _read_pictures(document, values, items, findings)
    empty = sum(not document.annotations.get(key) for document in documents for key in document.pictures)
    if empty:
        notes.append(f"pictures without any annotation, which become background throughout: {empty}")
    classes = {UNPAINTED_VALUE: "background"} | {value: name for (_, name), value in values.items()}
    if any(_is_crowd(annotation) for annotation in _all_annotations(documents)):
        classes[UNSCORED_VALUE] = "void"
        notes.append("regions marked iscrowd become void")
    return Source(dict(sorted(classes.items())), tuple(items), tuple(findings), (*notes, *value_notes))


# Files


def _find_files(folder: Path) -> dict[Path, Split | None]:
    by_split: dict[Path, Split | None] = {
        entry / SPLIT_FILE: SPLIT_NAMES[entry.name.lower()]
        for entry in list_folders(folder)
        if entry.name.lower() in SPLIT_NAMES and (entry / SPLIT_FILE).is_file()
    }
    if by_split:
        return by_split
    single = [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".") and _looks_like(path)]
    return {single[0]: None} if len(single) == 1 else {}


def _looks_like(path: Path) -> bool:
    text = path.read_bytes()
    return all(key in text for key in (b'"images"', b'"annotations"', b'"categories"'))


def _read_document(path: Path, split: Split | None) -> _Document:
    try:
        content: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InvalidDatasetError(f"{path}: cannot be read ({error.strerror}); check that it may be read") from error
    except orjson.JSONDecodeError as error:
        raise InvalidDatasetError(f"{path}: is not JSON ({error}); {EXPORT_AGAIN}") from error
    categories = _by_id(content, "categories", path)
    pictures = _by_id(content, "images", path)
    annotations: defaultdict[int, list[Json]] = defaultdict(list)
    for index, annotation in enumerate(_get(content, "annotations", list, str(path))):
        where = f"{path}: annotations[{index}]"
        category_id = _get(annotation, "category_id", int, where)
        if category_id not in categories:
            raise InvalidDatasetError(f"{where}: its category {category_id} is not in the list; {EXPORT_AGAIN}")
        annotations[_get(annotation, "image_id", int, where)].append(annotation)
    return _Document(
        path=path,
        split=split,
        names={key: _get(category, "name", str, f"{path}: category {key}") for key, category in categories.items()},
        supercategories={key: str(category.get("supercategory", "")) for key, category in categories.items()},
        pictures=pictures,
        annotations=dict(annotations),
    )


def _by_id(content: Any, key: str, path: Path) -> dict[int, Json]:
    entries: dict[int, Json] = {}
    for index, entry in enumerate(_get(content, key, list, str(path))):
        entry_id = _get(entry, "id", int, f"{path}: {key}[{index}]")
        if entry_id in entries:
            raise InvalidDatasetError(f"{path}: {key}[{index}] has the id {entry_id} of another; {EXPORT_AGAIN}")
        entries[entry_id] = entry
    return entries


def _get(holder: Any, key: str, kind: type[Any], where: str) -> Any:
    value: Any = cast("Json", holder).get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidDatasetError(f"{where}: has no {key!r} as COCO has it; {EXPORT_AGAIN}")
    return value


def _all_annotations(documents: Iterable[_Document]) -> Iterable[Json]:
    return (annotation for document in documents for group in document.annotations.values() for annotation in group)


def _is_crowd(annotation: Json) -> bool:
    return bool(annotation.get("iscrowd"))


# Categories


def _drop_placeholders(documents: Sequence[_Document]) -> tuple[list[Category], list[str]]:
    """Categories of all files in order of id, without the one that stands for the project itself and is never used."""
    used = {document.category_of(annotation) for document in documents for annotation in _all_annotations([document])}
    supercategories = {name for document in documents for name in document.supercategories.values()}
    listed = sorted({category for document in documents for category in document.names.items()})
    roots = {
        (key, name)
        for document in documents
        for key, name in document.names.items()
        if name in supercategories or (key == 0 and document.supercategories[key] == "none")
    }
    dropped = [category for category in listed if category in roots - used] if len(listed) > 1 else []
    notes = [f"category {name!r} (id {key}) is a placeholder without annotations: dropped" for key, name in dropped]
    return [category for category in listed if category not in dropped], notes


def _choose_values(
    documents: Iterable[_Document], categories: Sequence[Category]
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
    return {category: names.index(category[1]) + 1 for category in categories}, [note]


def _check_names(document: _Document, categories: Sequence[Category]) -> None:
    first: dict[str, int] = {}
    for key, name in document.names.items():
        if (key, name) in categories and first.setdefault(name, key) != key:
            raise InvalidDatasetError(
                f"{document.path}: categories {first[name]} and {key} are both named {name!r}; rename one of them"
            )


# Pictures


def _read_pictures(
    document: _Document, values: Mapping[Category, int], items: list[SourceItem], findings: list[Finding]
) -> None:
    listed: set[Path] = set()
    for key, picture in document.pictures.items():
        where = f"{document.path}: image {key}"
        path = _locate(document, _get(picture, "file_name", str, where))
        size = (_get(picture, "height", int, where), _get(picture, "width", int, where))
        listed.add(path)
        if not path.is_file():
            reason = f"is listed in {document.path.name}, but not there"
            findings.append(Finding(path, reason, "add the picture or export the dataset again"))
        elif min(size) < 1:
            findings.append(Finding(path, f"has no size in {document.path.name}", EXPORT_AGAIN))
        else:
            label = OutlineLabel(path, Size(*size), _read_outlines(document, key, values))
            items.append(SourceItem(path.name, path, document.split, label))
    strangers = sum(len(group) for key, group in document.annotations.items() if key not in document.pictures)
    if strangers:
        findings.append(Finding(document.path, f"{strangers} annotations belong to no listed picture", EXPORT_AGAIN))
    present = {path for folder in {path.parent for path in listed} if folder.is_dir() for path in list_pictures(folder)}
    findings += [
        Finding(path, f"is not listed in {document.path.name}", "annotate it or remove it")
        for path in sorted(present - listed)
    ]


def _locate(document: _Document, file_name: str) -> Path:
    name = PurePosixPath(file_name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or not name.name or "\0" in file_name:
        raise InvalidDatasetError(f"{document.path}: file name {file_name!r} leads out of the dataset; {EXPORT_AGAIN}")
    beside = document.path.parent / name
    below = document.path.parent / IMAGES_FOLDER / name
    return below if below.is_file() and not beside.is_file() else beside


def _read_outlines(document: _Document, key: int, values: Mapping[Category, int]) -> tuple[Outline, ...]:
    return tuple(
        Outline(
            name=f"annotation {annotation.get('id', '')} in {document.path.name}",
            value=UNSCORED_VALUE if _is_crowd(annotation) else values[document.category_of(annotation)],
            segmentation=annotation.get("segmentation"),
        )
        for annotation in document.annotations.get(key, ())
    )
