"""One COCO file: categories, pictures and annotations, without what nobody needs later."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.files.json_file import (
    Json,
    get_list,
    get_number,
    get_object,
    get_text,
    get_whole_number,
    read_json,
    show_value,
)
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.outlines.segmentation import read_segmentation
from atrous.datasets.outlines.shapes import Polygons, Unusable, UnusableOutlineError, make_box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atrous.datasets.files.tree import File
    from atrous.datasets.outlines.shapes import Shape
    from atrous.datasets.splits import Split

EXPORT_AGAIN = "export the dataset again as COCO JSON"
# Roboflow writes one such annotation, which is no object, for a picture that shows nothing.
NULL_ID = 999_999_999
NULL_NAME = "null"

# A category as one file has it; the same id may mean something else in the next file.
Category: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object.

    Attributes:
        name: its id, for messages.
        category: None where the list of categories lacks it, whatever it shows.
        shape: its outline, or its box.
        z_order: painted in this order if every annotation has one.
    """

    name: str
    category: Category | None
    shape: Shape
    is_box: bool
    is_crowd: bool
    z_order: float | None


@dataclass(frozen=True, slots=True)
class ListedPicture:
    """A picture as the file lists it; `size` is None if it is not a size."""

    file_name: str
    size: Size | None


@dataclass(frozen=True, slots=True)
class Document:
    """One COCO file.

    Attributes:
        folder: where it lies in the tree.
        names: category id -> name.
        supercategories: category id -> the name of the group it belongs to.
        pictures: by id.
        annotations: by picture id, in the order of painting.
        null_count: annotations that only say that a picture shows nothing.
        is_layered: whether the order of painting is that of `z_order`.
    """

    file: File
    folder: str
    split: Split | None
    names: dict[int, str]
    supercategories: dict[int, str]
    pictures: dict[int, ListedPicture]
    annotations: dict[int, list[Annotation]]
    null_count: int
    is_layered: bool


def read_document(file: File, folder: str, split: Split | None) -> Document:
    """Read a file whose path in the tree begins with `folder`.

    Raises:
        InvalidDatasetError: naming the place, if it is no COCO or contradicts itself.
    """
    try:
        content: Any = read_json(file)
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; {EXPORT_AGAIN}") from error
    categories = _by_id(content, "categories", file.place)
    names = {key: _read_name(entry, f"{file.place}: category {key}") for key, entry in categories.items()}
    pictures = {
        key: _read_picture(entry, f"{file.place}: image {key}")
        for key, entry in _by_id(content, "images", file.place).items()
    }
    entries = _require(content, "annotations", list, file.place)
    annotations, null_count = _read_annotations(entries, names, file.place)
    is_layered = _sort_by_layer(annotations.values())
    return Document(
        file=file,
        folder=folder,
        split=split,
        names=names,
        supercategories={key: get_text(entry, "supercategory") or "" for key, entry in categories.items()},
        pictures=pictures,
        annotations=annotations,
        null_count=null_count,
        is_layered=is_layered,
    )


def _by_id(content: Any, key: str, place: str) -> dict[int, Json]:
    entries: dict[int, Json] = {}
    for index, entry in enumerate(_require(content, key, list, place)):
        entry_id = _require(entry, "id", int, f"{place}: {key}[{index}]")
        if entry_id in entries:
            raise InvalidDatasetError(f"{place}: {key}[{index}] has the id {entry_id} of another; {EXPORT_AGAIN}")
        entries[entry_id] = entry
    return entries


def _require(holder: Any, key: str, kind: type[Any], where: str) -> Any:
    value: Any = cast("Json", holder).get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidDatasetError(f"{where}: has no {key!r} as COCO has it; {EXPORT_AGAIN}")
    return value


def _read_name(category: Json, where: str) -> str:
    name: str = _require(category, "name", str, where)
    if not name.strip():
        raise InvalidDatasetError(f"{where}: has an empty name; {EXPORT_AGAIN}")
    return name


def _read_picture(entry: Json, where: str) -> ListedPicture:
    file_name = _require(entry, "file_name", str, where)
    height, width = _require(entry, "height", int, where), _require(entry, "width", int, where)
    return ListedPicture(file_name, Size(height, width) if min(height, width) > 0 else None)


def _read_annotations(
    entries: Iterable[Any], names: dict[int, str], place: str
) -> tuple[dict[int, list[Annotation]], int]:
    annotations: defaultdict[int, list[Annotation]] = defaultdict(list)
    null_count = 0
    for index, entry in enumerate(entries):
        image_id = _require(entry, "image_id", int, f"{place}: annotations[{index}]")
        if get_list(entry, "segments_info"):
            raise InvalidDatasetError(
                f"{place}: is COCO panoptic, whose outlines are in pictures; use its instances_ or stuff_ file"
            )
        if _is_null(entry, names):
            null_count += 1
        else:
            annotations[image_id].append(_read_annotation(entry, names))
    return dict(annotations), null_count


def _is_null(entry: Json, names: dict[int, str]) -> bool:
    if _has_outline(entry):
        return False
    is_fake = entry.get("id") == NULL_ID and entry.get("image_id") == NULL_ID
    return is_fake or names.get(get_whole_number(entry, "category_id") or 0, "").casefold() == NULL_NAME


def _has_outline(entry: Json) -> bool:
    segmentation: Any = entry.get("segmentation")
    if isinstance(segmentation, list):
        return any(part != [] for part in cast("list[Any]", segmentation))
    return bool(segmentation)


def _read_annotation(entry: Json, names: dict[int, str]) -> Annotation:
    category_id = get_whole_number(entry, "category_id")
    category = (category_id, names[category_id]) if category_id is not None and category_id in names else None
    shape = read_segmentation(entry["segmentation"]) if _has_outline(entry) else _read_box(entry)
    if category is None:
        shape = Unusable(f"has the category {show_value(entry.get('category_id'))}, which is not in the list")
    return Annotation(
        name=show_value(entry.get("id")),
        category=category,
        shape=shape,
        is_box=category is not None and not _has_outline(entry) and isinstance(shape, Polygons) and shape.parts != (),
        is_crowd=bool(entry.get("iscrowd")),
        z_order=get_number(get_object(entry, "attributes") or entry, "z_order"),
    )


def _read_box(entry: Json) -> Shape:
    match entry.get("bbox"):
        case [int() | float() as left, int() | float() as top, int() | float() as width, int() | float() as height]:
            try:
                return make_box(left, top, width, height) if width > 0 and height > 0 else Polygons(())
            except UnusableOutlineError as error:
                return Unusable(str(error))
        case _:
            return Unusable("has no outline")


def _sort_by_layer(groups: Iterable[list[Annotation]]) -> bool:
    groups = list(groups)
    orders = [annotation.z_order for group in groups for annotation in group]
    if not orders or None in orders:
        return False
    for group in groups:
        group.sort(key=lambda annotation: annotation.z_order or 0)
    return True
