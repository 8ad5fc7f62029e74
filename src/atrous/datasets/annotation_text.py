"""The annotation of one picture as the text of a file, read by the formats of whole datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import orjson
import yaml

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.json_file import Json, get_list, get_objects, get_text, get_whole_number
from atrous.datasets.files.memory import open_memory
from atrous.datasets.formats import coco, label_studio, labelme, yolo
from atrous.datasets.labelled_file import drop_folders
from atrous.datasets.outlines.coco_document import NULL_ID
from atrous.datasets.outlines.named_classes import number_names, order_names
from atrous.datasets.outlines.supervisely_file import ObjectClass, SuperviselyFile
from atrous.datasets.source import Source, SourceItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.datasets.files.tree import Tree

# What messages name the folder that the picture and its annotation would lie in; nothing lies there.
FOLDER = Path("annotation")
PICTURE = "picture.jpg"
SEND_OUTLINES = "send outlines, such as COCO JSON or YOLO's polygons, or masks in a zip"
BOXES_ONLY = {
    ".xml": "is a Pascal VOC file, whose boxes do not say which pixels are the objects'",
    ".csv": "is a table of boxes or words, which do not say which pixels are the objects'",
    ".jsonl": "is a list of questions and answers, which do not say which pixels are the objects'",
}
CREATE_ML = "is CreateML, whose boxes do not say which pixels are the objects'"
UNKNOWN_JSON = "is JSON, but none of COCO, labelme, Supervisely or Label Studio"


@dataclass(frozen=True, slots=True)
class AnnotationText:
    """What was said about one picture.

    Attributes:
        name: of the file; its suffix tells texts that look alike.
        text: the file's content.
        picture: the picture's name, by which it is found where the text lists several.
        labelmap: class index -> name, for YOLO's lines, which hold numbers alone.
    """

    name: str
    text: str
    picture: str = ""
    labelmap: Mapping[int, str] = field(default_factory=dict[int, str])


def read_annotation(annotation: AnnotationText, picture: bytes) -> Source:
    """Classes and the one picture with its label, read just as the same file in a dataset would be.

    Args:
        annotation: the file.
        picture: the picture's file.

    Raises:
        InvalidDatasetError: naming the file, if it is of no known format, holds no masks or outlines, or is about
            another picture.
    """
    source, inner = _read(annotation, picture)
    if len(source.items) != 1:
        finding = source.findings[0] if source.findings else None
        reason = f"{finding.reason}; {finding.remedy}" if finding else f"is not about this picture; {SEND_OUTLINES}"
        raise InvalidDatasetError(f"{annotation.name}: {reason}".replace(inner, annotation.name))
    return source


def _read(annotation: AnnotationText, picture: bytes) -> tuple[Source, str]:
    suffix = PurePosixPath(annotation.name).suffix.lower()
    text = annotation.text.removeprefix("\ufeff").strip()
    if suffix in BOXES_ONLY or text.startswith("<"):
        raise _refuse(annotation, BOXES_ONLY.get(suffix, BOXES_ONLY[".xml"]))
    if text.startswith(("{", "[")):
        return _read_json(annotation, text, picture)
    if suffix != ".txt":
        raise _refuse(annotation, "is of no known format")
    return _read_yolo(annotation, picture)


def _refuse(annotation: AnnotationText, reason: str) -> InvalidDatasetError:
    return InvalidDatasetError(f"{annotation.name}: {reason}; {SEND_OUTLINES}")


def _translate(annotation: AnnotationText, inner: str, error: InvalidDatasetError) -> InvalidDatasetError:
    """The same complaint about the file that was sent."""
    return InvalidDatasetError(str(error).replace(f"{FOLDER}/{inner}", annotation.name))


def _read_yolo(annotation: AnnotationText, picture: bytes) -> tuple[Source, str]:
    names = dict(annotation.labelmap)
    if annotation.text.strip() and not names:
        raise InvalidDatasetError(
            f"{annotation.name}: holds class numbers without names; send a labelmap such as {{'0': 'road'}}"
        )
    inner = f"labels/{PurePosixPath(PICTURE).stem}.txt"
    config = yaml.safe_dump({"names": names or {0: "object"}}, allow_unicode=True).encode()
    tree = open_memory(FOLDER, {f"images/{PICTURE}": picture, inner: annotation.text.encode(), "data.yaml": config})
    source = _read_tree(annotation, inner, tree, yolo.read)
    if names:
        return source, inner
    return Source({0: "background"}, source.items, source.findings), inner


def _read_tree(annotation: AnnotationText, inner: str, tree: Tree, read: Any) -> Source:
    try:
        return read(tree)
    except InvalidDatasetError as error:
        raise _translate(annotation, inner, error) from error


# JSON


def _read_json(annotation: AnnotationText, text: str, picture: bytes) -> tuple[Source, str]:
    try:
        content: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidDatasetError(f"{annotation.name}: is not JSON ({error}); export it again") from error
    if isinstance(content, list):
        return _read_list(annotation, cast("list[Any]", content), picture)
    entries = cast("Json", content)
    if isinstance(entries.get("annotations"), list) and isinstance(entries.get("images"), list):
        return _read_coco(annotation, entries, picture)
    if isinstance(entries.get("shapes"), list):
        return _read_labelme(annotation, entries, picture)
    if isinstance(entries.get("objects"), list) and "size" in entries:
        return _read_supervisely(entries, picture)
    if "data" in entries and "annotations" in entries:
        return _read_list(annotation, [entries], picture)
    raise _refuse(annotation, UNKNOWN_JSON)


def _read_coco(annotation: AnnotationText, content: Json, picture: bytes) -> tuple[Source, str]:
    """The part that is about the picture, in a file of its own."""
    image = _choose_image(annotation, get_objects(content, "images"))
    listed = [get_whole_number(one, "id") for one in get_objects(content, "images")]
    others = {key for key in listed if key not in {None, NULL_ID, image.get("id")}}
    annotations = get_list(content, "annotations")
    document = {
        **content,
        "images": [{**image, "file_name": PICTURE}],
        "annotations": [one for one in annotations if get_whole_number(one, "image_id") not in others],
    }
    inner = f"train/{coco.SPLIT_FILE}"
    tree = open_memory(FOLDER, {f"train/{PICTURE}": picture, inner: orjson.dumps(document)})
    return _read_tree(annotation, inner, tree, coco.read), inner


def _choose_image(annotation: AnnotationText, images: list[Json]) -> Json:
    named = [one for one in images if drop_folders(get_text(one, "file_name") or "") == annotation.picture]
    chosen = named if len(named) == 1 else images
    if len(chosen) != 1:
        raise InvalidDatasetError(
            f"{annotation.name}: lists {len(images)} pictures, and {len(named)} of them are named "
            f"{annotation.picture!r}; send the annotation of one picture"
        )
    return chosen[0]


def _read_labelme(annotation: AnnotationText, content: Json, picture: bytes) -> tuple[Source, str]:
    inner = f"{PurePosixPath(PICTURE).stem}.json"
    sheet = {key: value for key, value in content.items() if key != "imageData"} | {"imagePath": PICTURE}
    tree = open_memory(FOLDER, {PICTURE: picture, inner: orjson.dumps(sheet)})
    return _read_tree(annotation, inner, tree, labelme.read), inner


def _read_supervisely(content: Json, picture: bytes) -> tuple[Source, str]:
    """Without the project's meta.json, classes are the titles of the objects."""
    titles = {get_text(one, "classTitle") or "" for one in get_objects(content, "objects")} - {""}
    names, _ = order_names(titles, ())
    classes = tuple(ObjectClass(name, value) for value, name in enumerate(names, start=1))
    inner = f"{PICTURE}.json"
    tree = open_memory(FOLDER, {PICTURE: picture, inner: orjson.dumps(content)})
    item = SourceItem(tree.file(PICTURE), None, SuperviselyFile(tree.file(inner), classes))
    return Source(number_names(names), (item,)), inner


def _read_list(annotation: AnnotationText, tasks: list[Any], picture: bytes) -> tuple[Source, str]:
    """Label Studio's task, or CreateML's boxes."""
    regions = [region for task in tasks for region in get_objects(task, "annotations")]
    if not regions or not all("result" in region for region in regions):
        has_boxes = any("coordinates" in region for region in regions)
        raise _refuse(annotation, CREATE_ML if has_boxes else UNKNOWN_JSON)
    if len(tasks) != 1:
        raise InvalidDatasetError(f"{annotation.name}: lists {len(tasks)} tasks; send that of one picture")
    inner = "tasks.json"
    task = [{**cast("Json", tasks[0]), "data": {"image": PICTURE}}]
    tree = open_memory(FOLDER, {PICTURE: picture, inner: orjson.dumps(task)})
    return _read_tree(annotation, inner, tree, label_studio.read), inner
