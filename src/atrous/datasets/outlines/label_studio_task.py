"""One task of a Label Studio export: the picture it names and the regions drawn on it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from atrous.core.sizes import Size
from atrous.datasets.files.json_file import (
    Json,
    get_list,
    get_number,
    get_object,
    get_objects,
    get_text,
    get_whole_number,
    show_value,
)
from atrous.datasets.files.picture_files import is_picture
from atrous.datasets.outlines.brush_strokes import pack_strokes
from atrous.datasets.outlines.shapes import (
    Polygons,
    Unusable,
    UnusableOutlineError,
    make_box,
    make_ellipse,
    pack_points,
    unpack_points,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atrous.datasets.outlines.shapes import Shape

UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
PERCENT = 100
# What each kind of region is drawn with; a region may also say `brush` and have its name in a result `labels`.
GEOMETRY_KEYS = ("rle", "points", "radiusX", "width")
KINDS = ("brush", "polygon", "ellipse", "rectangle", "keypoint")


@dataclass(frozen=True, slots=True)
class Region:
    """One region in the order of drawing; `class_name` is empty where it has none, and then `shape` is Unusable."""

    name: str
    class_name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        name: its id, for messages.
        paths: what its picture may be called, the most certain first.
        size: of the picture as Label Studio knew it; None if no region says it.
        regions: of the annotation that counts; None if there is none.
        finished_count: annotations that were not cancelled.
    """

    name: str
    paths: tuple[str, ...]
    size: Size | None
    regions: tuple[Region, ...] | None
    finished_count: int


def read_task(entry: Any) -> Task:
    """Read one task, whatever it holds."""
    annotations = [one for one in get_objects(entry, "annotations") if not one.get("was_cancelled")]
    results = get_objects(annotations[0], "result") if annotations else []
    name = show_value(get_whole_number(entry, "id"))
    sizes = {size for result in results if (size := _read_size(result))}
    size = next(iter(sizes), None) if len(sizes) == 1 else None
    regions = tuple(_read_regions(results, f"in task {name}", has_one_size=len(sizes) < 2))
    paths = _find_paths(get_object(entry, "data"))
    return Task(name, paths, size, regions if annotations else None, len(annotations))


# The picture


def _find_paths(data: Json) -> tuple[str, ...]:
    texts = [text for key in ("image", *data) if (text := get_text(data, key))]
    by_kind = [text for text in texts if is_picture(_find_path(text))]
    if not by_kind:
        return ()
    path = _find_path(by_kind[0])
    folder, base_name = posixpath.split(path)
    return tuple(dict.fromkeys([path, posixpath.join(folder, UPLOAD_PREFIX.sub("", base_name))]))


def _find_path(reference: str) -> str:
    """The path in a URL, in what Label Studio serves as ?d=path, or in a plain path."""
    try:
        parts = urlsplit(reference)
        inside = parse_qs(parts.query).get("d", [])
    except ValueError:
        return reference
    return (inside[0] if inside else unquote(parts.path)).lstrip("/")


# Regions


def _read_regions(results: list[Json], where: str, *, has_one_size: bool) -> Iterable[Region]:
    named = {get_text(result, "id"): name for result in results if (name := _read_class(result))}
    done: set[str] = set()
    for number, result in enumerate(results, start=1):
        region_id = get_text(result, "id") or f"#{number}"
        if not _is_region(result) or region_id in done:
            continue
        done.add(region_id)
        class_name = _read_class(result) or named.get(region_id, "")
        shape = _read_shape(result) if has_one_size else Unusable("is of another size than others of its picture")
        if not class_name:
            shape = Unusable("has no label, or more than one")
        yield Region(f"region {region_id[:40]} {where}", class_name, shape)


def _is_region(result: Json) -> bool:
    """Not a choice, a text or a relation between regions."""
    kind = get_text(result, "type") or ""
    value = get_object(result, "value")
    return kind.removesuffix("labels") in KINDS or (kind == "labels" and any(key in value for key in GEOMETRY_KEYS))


def _read_class(result: Json) -> str:
    value = get_object(result, "value")
    names = get_list(value, get_text(result, "type") or "") or get_list(value, "labels")
    return names[0].strip() if len(names) == 1 and isinstance(names[0], str) else ""


def _read_size(result: Json) -> Size | None:
    height, width = get_whole_number(result, "original_height"), get_whole_number(result, "original_width")
    return Size(height, width) if height and width and min(height, width) > 0 else None


def _read_shape(result: Json) -> Shape:
    size, value = _read_size(result), get_object(result, "value")
    if get_number(result, "image_rotation"):
        return Unusable("was drawn on a turned picture")
    if size is None:
        return Unusable("does not say its picture's size")
    try:
        if "rle" in value:
            return pack_strokes(value["rle"])
        if "points" in value:
            points_N2 = unpack_points(pack_points(get_list(value, "points"))) / PERCENT
            return Polygons(((points_N2 * (size.width, size.height)).tobytes(),))
        return _read_round_or_straight(value, size)
    except UnusableOutlineError as error:
        return Unusable(str(error))


def _read_round_or_straight(value: Json, size: Size) -> Shape:
    """An ellipse, a rectangle, or a key point, which has no area."""
    turned_deg = get_number(value, "rotation") or 0
    match [get_number(value, key) for key in ("x", "y", "radiusX", "radiusY", "width", "height")]:
        case [float() | int() as x, float() | int() as y, float() | int() as across, float() | int() as down, _, _]:
            return make_ellipse(_to_px(x, y, size), _to_px(across, down, size), turned_deg=turned_deg)
        case [float() | int() as x, float() | int() as y, _, _, float() | int() as width, float() | int() as height]:
            return make_box(*_to_px(x, y, size), *_to_px(width, height, size), turned_deg=turned_deg)
        case [_, _, _, _, float() | int(), None]:
            return Polygons(())
        case _:
            raise UnusableOutlineError("has no outline")


def _to_px(x_percent: float, y_percent: float, size: Size) -> tuple[float, float]:
    return x_percent * size.width / PERCENT, y_percent * size.height / PERCENT
