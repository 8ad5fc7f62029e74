"""Settings of versions: every step in every form, echoed as stored versions show them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from atrous.datasets.augmentation.steps import AUGMENTATIONS, Crop, Flip, MotionBlur, Rotate
from atrous.datasets.version_settings import (
    LONELY_OUTPUTS,
    RESIZE_FORMATS,
    UNSCALED,
    Resize,
    TagFilter,
    choose_size,
    read_settings,
    write_settings,
)

# As the contract writes them.
PREPROCESSING: dict[str, Any] = {
    "auto-orient": True,
    "resize": {"width": 640, "height": 480, "format": "Fit (black edges) in"},
    "grayscale": True,
    "contrast": {"type": "Contrast Stretching"},
    "static-crop": {"x_min": 10, "x_max": 90, "y_min": 0, "y_max": 75},
    "tile": {"rows": 2, "columns": 3},
    "remap": {"car": "vehicle", "sky": None},
    "filter-null": {"percent": 80},
    "filter-tag": {"tags": {"included": ["day"], "excluded": ["blurred"]}},
    "random-sample": {"percent": 50},
}
AUGMENTATION: dict[str, Any] = {
    "image": {"versions": 3},
    "flip": {"horizontal": True, "vertical": False},
    "ninety": {"clockwise": True, "counter-clockwise": True, "upside-down": False},
    "rotate": {"degrees": 15},
    "crop": {"min": 0, "max": 20},
    "shear": {"horizontal": 10, "vertical": 5},
    "rgrayscale": {"percent": 25},
    "hue": {"degrees": 25},
    "saturation": {"percent": 25},
    "brightness": {"brighten": True, "darken": False, "percent": 25},
    "exposure": {"percent": 10},
    "blur": {"pixels": 2.5},
    "noise": {"percent": 1},
    "cutout": {"count": 3, "percent": 10},
    "mosaic": True,
    "motion-blur": {"length": 12, "angle": 45},
    "camera-gain": {"gain": 12},
}
EVERYTHING = {"preprocessing": PREPROCESSING, "augmentation": AUGMENTATION}


def read(preprocessing: dict[str, Any] | None = None, augmentation: dict[str, Any] | None = None) -> Any:
    return read_settings({"preprocessing": preprocessing or {}, "augmentation": augmentation or {}})


def test_every_step_of_the_contract_is_read() -> None:
    settings = read_settings(EVERYTHING | {"versionName": "dusk"})
    assert settings.resize == Resize(640, 480, Fit.LETTERBOX_BLACK)
    assert (settings.crop, settings.tiles) == (StaticCrop(10, 0, 90, 75), Tiles(rows=2, columns=3))
    assert (settings.grayscale, settings.contrast) == (True, Contrast.STRETCHING)
    assert settings.remap == (("car", "vehicle"), ("sky", None))
    assert (settings.filter_null, settings.random_sample) == (80, 50)
    assert settings.filter_tag == TagFilter(("day",), ("blurred",))
    assert [type(step) for step in settings.augmentations] == list(AUGMENTATIONS.values())
    assert (settings.outputs, settings.name, settings.notes) == (3, "dusk", ())


def test_what_is_echoed_reads_as_the_same_and_shows_each_step_as_enabled() -> None:
    settings = read_settings(EVERYTHING)
    echo = json.loads(json.dumps(write_settings(settings)))
    assert read_settings(echo) == settings
    for part, asked in EVERYTHING.items():
        assert echo[part].keys() == asked.keys()
        assert all(step["enabled"] is True for step in echo[part].values())
    assert echo["augmentation"]["ninety"] == {"enabled": True} | AUGMENTATION["ninety"]
    assert echo["preprocessing"]["resize"] == {"enabled": True} | PREPROCESSING["resize"]


@pytest.mark.parametrize(
    "content", [{}, {"preprocessing": None}, {"preprocessing": {"tile": None, "grayscale": False}, "augmentation": {}}]
)
def test_what_is_not_asked_for_is_not_done_but_pictures_are_turned_upright(content: dict[str, Any]) -> None:
    settings = read_settings(content)
    assert settings == read_settings({})
    assert settings.auto_orient
    assert write_settings(settings)["preprocessing"] == {"auto-orient": {"enabled": True}}


@pytest.mark.parametrize("off", [False, {"enabled": False}])
def test_a_step_can_be_switched_off(off: Any) -> None:
    steps = dict.fromkeys((*PREPROCESSING, "isolate", "dynamic-crop"), off)
    assert read(steps, dict.fromkeys(AUGMENTATION, off)) == replace(read_settings({}), auto_orient=False)


def test_steps_are_taken_in_one_order_whatever_the_order_of_the_settings() -> None:
    turned = dict(reversed(AUGMENTATION.items()))
    assert read(augmentation=turned) == read(augmentation=AUGMENTATION)


@pytest.mark.parametrize("word", RESIZE_FORMATS)
def test_formats_of_resizing_are_words_in_any_case(word: str) -> None:
    for written in (word, word.upper(), word.lower()):
        resize = read({"resize": {"width": 64, "height": 32, "format": written}}).resize
        assert resize == Resize(64, 32, RESIZE_FORMATS[word])


def test_a_fill_says_that_it_changes_no_scale() -> None:
    resize = {"width": 64, "height": 64, "format": "Fill (with center crop) in"}
    assert read({"resize": resize}).notes == (UNSCALED,)


def test_steps_for_boxes_are_left_out_and_noted() -> None:
    settings = read(augmentation={"bbflip": {"horizontal": True}, "flip": {"horizontal": True}})
    assert settings.augmentations == (Flip(horizontal=True),)
    assert "bbflip" in settings.notes[0]


def test_outputs_without_an_augmentation_are_left_out_and_noted() -> None:
    settings = read(augmentation={"image": {"versions": 3}})
    assert (settings.outputs, settings.notes) == (3, (LONELY_OUTPUTS,))
    assert write_settings(settings)["augmentation"] == {}


def test_fields_may_be_left_to_their_defaults() -> None:
    settings = read(augmentation={"crop": {"max": 20}, "motion-blur": {"length": 9, "angle": None}})
    assert settings.augmentations == (Crop(20, 0), MotionBlur(9, None))
    assert settings.outputs == 1


@pytest.mark.parametrize(
    ("preprocessing", "augmentation", "named"),
    [
        ({"resise": {}}, {}, "'resise'"),
        ({"resize": {"width": 64}}, {}, "lacks 'height'"),
        ({"resize": {"width": 64, "height": 64, "depth": 1}}, {}, "'depth'"),
        ({"resize": {"width": 64.5, "height": 64}}, {}, "whole number"),
        ({"resize": {"width": 10**9, "height": 64}}, {}, "resize.width"),
        ({"resize": {"width": True, "height": 64}}, {}, "resize.width"),
        ({"resize": {"width": 64, "height": 64, "format": "squeeze"}}, {}, "'Stretch to'"),
        ({"resize": "64x64"}, {}, "preprocessing.resize"),
        ({"static-crop": {"x_min": 90, "x_max": 10}}, {}, "crop"),
        ({"tile": {"rows": 17, "columns": 1}}, {}, "tile.rows"),
        ({"contrast": {"type": "gamma"}}, {}, "contrast.type"),
        ({"filter-null": {"percent": float("nan")}}, {}, "filter-null.percent"),
        ({"filter-tag": {"tags": {"included": "day"}}}, {}, "filter-tag.tags.included"),
        ({"filter-tag": {"tags": {"maybe": []}}}, {}, "'maybe'"),
        ({"remap": {"a": 1}}, {}, "remap"),
        ({"remap": {str(n): "x" for n in range(300)}}, {}, "254"),
        ({"isolate": True}, {}, "isolate"),
        ({"dynamic-crop": {"class": "car"}}, {}, "dynamic-crop"),
        ({}, {"rotate": {"degrees": 200}}, "rotate.degrees"),
        ({}, {"rotate": True}, "lacks 'degrees'"),
        ({}, {"flip": {"enabled": 1}}, "flip.enabled"),
        ({}, {"image": {"versions": 0}}, "image.versions"),
        ({}, {"sharpen": {}}, "'sharpen'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    preprocessing: dict[str, Any], augmentation: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read(preprocessing, augmentation)
    assert named in str(refused.value)
    assert "require" not in str(refused.value)


@pytest.mark.parametrize("content", [{"preprocesing": {}}, {"preprocessing": []}, {"versionName": 3}])
def test_other_keys_and_forms_of_settings_are_refused(content: Any) -> None:
    with pytest.raises(InvalidInputError):
        read_settings(content)


@pytest.mark.parametrize(
    ("picture", "chosen"),
    [
        (Size(1080, 1920), Size(352, 640)),
        (Size(480, 640), Size(480, 640)),
        (Size(100, 100), Size(96, 96)),
        (Size(3, 9000), Size(32, 640)),
    ],
)
def test_a_size_that_nobody_gave_suits_the_pictures(picture: Size, chosen: Size) -> None:
    assert choose_size(picture) == chosen


def test_a_step_that_takes_a_number_takes_a_whole_one_written_as_a_fraction() -> None:
    assert read(augmentation={"rotate": {"degrees": 15}}).augmentations == (Rotate(15),)
    assert read({"tile": {"rows": 2.0, "columns": 1}}).tiles == Tiles(rows=2, columns=1)
