"""All choices that a version is made by, in the words of Roboflow's settings.

Read from JSON as people write it (`"auto-orient": true`) or as stored versions show it (each step an object with
`enabled`), and written in the latter form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import MAX_TILES_A_SIDE, StaticCrop, Tiles
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import MAX_SIDE_PX, Size
from atrous.datasets.augmentation.steps import AUGMENTATIONS, Augmentation
from atrous.datasets.setting_fields import (
    check_keys,
    choice,
    number,
    open_step,
    read_object,
    read_step,
    show,
    whole,
    write_step,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum

MAX_OUTPUTS = 50
MAX_REMAPPED = 254
MAX_TAGS = 100
MAX_TEXT_LENGTH = 512
MIN_SIDE_PX = 16
DEFAULT_SIDE_PX = 640
STRIDE_PX = 32
PREPROCESSING_KEYS = (
    "auto-orient",
    "resize",
    "static-crop",
    "tile",
    "grayscale",
    "contrast",
    "remap",
    "filter-null",
    "filter-tag",
    "random-sample",
)
# Steps of other kinds of projects.
BOX_STEPS = ("isolate", "dynamic-crop")
BOX_PREFIX = "bb"
RESIZE_FORMATS: dict[str, Enum] = {
    "Stretch to": Fit.STRETCH,
    "Fill (with center crop) in": Fit.CENTER_CROP,
    "Fit within": Fit.FIT_WITHIN,
    "Fit (black edges) in": Fit.LETTERBOX_BLACK,
    "Fit (white edges) in": Fit.LETTERBOX_WHITE,
    "Fit (grey edges) in": Fit.LETTERBOX_GREY,
    "Fit (reflect edges) in": Fit.LETTERBOX_REFLECT,
}
CONTRAST_TYPES: dict[str, Enum] = {
    "Contrast Stretching": Contrast.STRETCHING,
    "Histogram Equalization": Contrast.HISTOGRAM,
    "Adaptive Equalization": Contrast.ADAPTIVE,
}
UNSCALED = (
    "resize: 'Fill (with center crop) in' changes no picture's scale; larger ones are cut, smaller ones get black edges"
)
LONELY_OUTPUTS = "augmentation.image: was left out, since without another augmentation all outputs would be equal"


@dataclass(frozen=True, slots=True)
class Resize:
    """The network's size and how pictures are brought to it."""

    width: int = whole(MIN_SIDE_PX, MAX_SIDE_PX)
    height: int = whole(MIN_SIDE_PX, MAX_SIDE_PX)
    fit: Fit = choice(RESIZE_FORMATS, default=Fit.STRETCH, key="format")  # noqa: RUF009 - it makes a field


@dataclass(frozen=True, slots=True)
class Switch:
    """A step that is taken or not."""


@dataclass(frozen=True, slots=True)
class ContrastStep:
    """How contrast is raised."""

    kind: Contrast = choice(CONTRAST_TYPES, default=Contrast.STRETCHING, key="type")  # noqa: RUF009 - it makes a field


@dataclass(frozen=True, slots=True)
class CropStep:
    """What is kept of pictures, in percent."""

    x_min: int = whole(0, 100, default=0)
    x_max: int = whole(0, 100, default=100)
    y_min: int = whole(0, 100, default=0)
    y_max: int = whole(0, 100, default=100)


@dataclass(frozen=True, slots=True)
class TileStep:
    """The grid that pictures are cut by."""

    rows: int = whole(1, MAX_TILES_A_SIDE)
    columns: int = whole(1, MAX_TILES_A_SIDE)


@dataclass(frozen=True, slots=True)
class Percent:
    """A share."""

    percent: float = number(0, 100)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Pictures made of each training picture."""

    versions: int = whole(1, MAX_OUTPUTS)


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Tags that a picture must have, all of them, and tags of which it may have none."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionSettings:
    """The choices, checked.

    Attributes:
        resize: None leaves the size to the pictures, see `choose_size`.
        remap: class name -> the name it gets; None makes it background.
        filter_null: at least this share of the pictures shows a class, in percent.
        random_sample: this share of the pictures is taken, in percent.
        augmentations: in the order in which they are taken.
        outputs: pictures made of each training picture, if there are augmentations.
        name: what people call the version.
        notes: what was not done as asked, and why.
    """

    auto_orient: bool = True
    resize: Resize | None = None
    crop: StaticCrop | None = None
    tiles: Tiles | None = None
    grayscale: bool = False
    contrast: Contrast | None = None
    remap: tuple[tuple[str, str | None], ...] = ()
    filter_null: float | None = None
    filter_tag: TagFilter | None = None
    random_sample: float | None = None
    augmentations: tuple[Augmentation, ...] = ()
    outputs: int = 1
    name: str = ""
    notes: tuple[str, ...] = ()


def read_settings(content: Mapping[str, Any]) -> VersionSettings:
    """Read settings.

    Raises:
        InvalidInputError: naming the key, if it is unknown or its value cannot be.
    """
    check_keys(content, ("preprocessing", "augmentation", "versionName", "name", "notes"), "settings")
    preprocessing, augmentation = (_read_part(content, part) for part in ("preprocessing", "augmentation"))
    ignored = [key for key in augmentation if key.startswith(BOX_PREFIX)]
    augmentations, outputs = _read_augmentations({key: augmentation[key] for key in augmentation if key not in ignored})
    notes = [f"augmentation.{show(key)}: was left out, since it is for boxes" for key in ignored]
    if outputs and not augmentations:
        notes.append(LONELY_OUTPUTS)
    resize = read_step(Resize, preprocessing.get("resize"), "preprocessing.resize")
    if resize and resize.fit is Fit.CENTER_CROP:
        notes.append(UNSCALED)
    return VersionSettings(
        **_read_preprocessing(preprocessing),
        resize=resize,
        augmentations=augmentations,
        outputs=outputs or 1,
        name=_read_text(content.get("versionName") or content.get("name") or "", "versionName"),
        notes=tuple(notes),
    )


def write_settings(settings: VersionSettings) -> dict[str, Any]:
    """Settings in the form that stored versions have."""
    return {
        "preprocessing": dict(_write_preprocessing(settings)),
        "augmentation": write_augmentations(settings),
        "notes": list(settings.notes),
    }


def write_augmentations(settings: VersionSettings) -> dict[str, Any]:
    """The part of them that decides how training pictures are varied."""
    if not settings.augmentations:
        return {}
    names = {step: name for name, step in AUGMENTATIONS.items()}
    steps = {names[type(step)]: write_step(step) for step in settings.augmentations}
    return {"image": write_step(Outputs(settings.outputs))} | steps


def make_preprocessing(settings: VersionSettings, resize: Resize) -> Preprocessing:
    """What serving does too, with the size that was asked for or chosen."""
    return Preprocessing(
        size=Size(height=resize.height, width=resize.width),
        fit=resize.fit,
        auto_orient=settings.auto_orient,
        crop=settings.crop,
        grayscale=settings.grayscale,
        contrast=settings.contrast,
        tiles=settings.tiles,
    )


def describe_preprocessing(preprocessing: Preprocessing) -> VersionSettings:
    """The settings that give a preprocessing and nothing else."""
    size = preprocessing.size
    return VersionSettings(
        auto_orient=preprocessing.auto_orient,
        resize=Resize(size.width, size.height, preprocessing.fit),
        crop=preprocessing.crop,
        tiles=preprocessing.tiles,
        grayscale=preprocessing.grayscale,
        contrast=preprocessing.contrast,
    )


def choose_size(picture: Size) -> Size:
    """A size for the network that suits pictures of this size: sides of up to 640 pixels, in steps of 32."""
    scale = min(1.0, DEFAULT_SIDE_PX / max(picture.height, picture.width))
    height, width = (max(1, round(side * scale / STRIDE_PX)) * STRIDE_PX for side in (picture.height, picture.width))
    return Size(height=height, width=width)


def _read_part(content: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    return {} if content.get(part) is None else read_object(content[part], part)


def _read_preprocessing(content: Mapping[str, Any]) -> dict[str, Any]:
    """All of it but the size."""
    for key in BOX_STEPS:
        if open_step(content.get(key), f"preprocessing.{key}") is not None:
            raise InvalidInputError(f"preprocessing.{key}: is for boxes, and label masks have none; leave it out")
    check_keys(content, (*PREPROCESSING_KEYS, *BOX_STEPS), "preprocessing")

    def read(step: Any, key: str) -> Any:
        return read_step(step, content.get(key), f"preprocessing.{key}")

    crop, tile, contrast = read(CropStep, "static-crop"), read(TileStep, "tile"), read(ContrastStep, "contrast")
    filter_null, sample = read(Percent, "filter-null"), read(Percent, "random-sample")
    return {
        "auto_orient": "auto-orient" not in content or read(Switch, "auto-orient") is not None,
        "crop": StaticCrop(crop.x_min, crop.y_min, crop.x_max, crop.y_max) if crop else None,
        "tiles": Tiles(tile.rows, tile.columns) if tile else None,
        "grayscale": read(Switch, "grayscale") is not None,
        "contrast": contrast.kind if contrast else None,
        "remap": _read_remap(content.get("remap")),
        "filter_null": filter_null.percent if filter_null else None,
        "filter_tag": _read_tag_filter(content.get("filter-tag")),
        "random_sample": sample.percent if sample else None,
    }


def _write_preprocessing(settings: VersionSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "auto-orient", {"enabled": settings.auto_orient}
    if settings.resize:
        yield "resize", write_step(settings.resize)
    if settings.crop:
        crop = settings.crop
        yield "static-crop", write_step(CropStep(crop.x_min, crop.x_max, crop.y_min, crop.y_max))
    if settings.tiles:
        yield "tile", write_step(TileStep(settings.tiles.rows, settings.tiles.columns))
    if settings.grayscale:
        yield "grayscale", write_step(Switch())
    if settings.contrast:
        yield "contrast", write_step(ContrastStep(settings.contrast))
    if settings.remap:
        yield "remap", {"enabled": True, "classes": dict(settings.remap)}
    if settings.filter_null is not None:
        yield "filter-null", write_step(Percent(settings.filter_null))
    if settings.filter_tag:
        tags = {"included": list(settings.filter_tag.wanted), "excluded": list(settings.filter_tag.unwanted)}
        yield "filter-tag", {"enabled": True, "tags": tags}
    if settings.random_sample is not None:
        yield "random-sample", write_step(Percent(settings.random_sample))


def _read_augmentations(content: Mapping[str, Any]) -> tuple[tuple[Augmentation, ...], int | None]:
    check_keys(content, ("image", *AUGMENTATIONS), "augmentation")
    steps = (read_step(step, content.get(key), f"augmentation.{key}") for key, step in AUGMENTATIONS.items())
    outputs = read_step(Outputs, content.get("image"), "augmentation.image")
    return tuple(step for step in steps if step is not None), outputs.versions if outputs else None


def _read_remap(value: Any) -> tuple[tuple[str, str | None], ...]:
    place = "preprocessing.remap"
    content = open_step(value, place)
    if not content:
        return ()
    # A class may itself be called `classes`, but then its new name is a text.
    names = content["classes"] if isinstance(content.get("classes"), Mapping) and len(content) == 1 else content
    if len(names) > MAX_REMAPPED:
        raise InvalidInputError(f"{place}: names {len(names)} classes; {MAX_REMAPPED} is the most")
    return tuple(
        (_read_text(old, place), _read_text(new, f"{place}.{show(old)}") or None if new is not None else None)
        for old, new in names.items()
    )


def _read_tag_filter(value: Any) -> TagFilter | None:
    place = "preprocessing.filter-tag"
    content = open_step(value, place)
    if content is None:
        return None
    check_keys(content, ("tags",), place)
    tags = read_object(content.get("tags"), f"{place}.tags")
    check_keys(tags, ("included", "excluded"), f"{place}.tags")
    return TagFilter(*(_read_tags(tags.get(key) or [], f"{place}.tags.{key}") for key in ("included", "excluded")))


def _read_tags(value: Any, place: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(cast("Sequence[Any]", value)) > MAX_TAGS:
        raise InvalidInputError(f"{place}: is {show(value)}; send a list of at most {MAX_TAGS} tags")
    return tuple(_read_text(tag, place) for tag in cast("Sequence[Any]", value))


def _read_text(value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH:
        raise InvalidInputError(f"{place}: is {show(value)}; send a text of at most {MAX_TEXT_LENGTH} characters")
    return value
