from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrous.bundle.contrast import Contrast
from atrous.bundle.inference_config import read_inference_config, write_inference_config
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size

channels = st.tuples(*[st.floats(0.01, 10)] * 3)
sides_px = st.integers(1, 8192)
crops = st.builds(
    StaticCrop, x_min=st.integers(0, 49), y_min=st.integers(0, 49), x_max=st.integers(50, 100), y_max=st.just(100)
)
preprocessings = st.builds(
    Preprocessing,
    size=st.builds(Size, height=sides_px, width=sides_px),
    fit=st.sampled_from(list(Fit)),
    auto_orient=st.booleans(),
    mean_RGB=channels,
    std_RGB=channels,
    crop=st.none() | crops,
    grayscale=st.booleans(),
    contrast=st.none() | st.sampled_from(list(Contrast)),
    tiles=st.none() | st.builds(Tiles, rows=st.integers(1, 16), columns=st.integers(1, 16)),
)

ABSENT = object()


def make_config() -> dict[str, Any]:
    return write_inference_config(Preprocessing(Size(height=384, width=512), Fit.LETTERBOX_GREY))


def change(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, name = path.split(".")
    part = config
    for parent in parents:
        part = part[parent]
    if value is ABSENT:
        del part[name]
    else:
        part[name] = value
    return config


@given(preprocessings)
def test_what_is_written_is_read_back(preprocessing: Preprocessing) -> None:
    text = json.dumps(write_inference_config(preprocessing))
    assert read_inference_config(json.loads(text)) == preprocessing


def test_the_file_speaks_the_words_of_the_stock_runtime() -> None:
    config = make_config()
    assert config["network_input"] == {
        "training_input_size": {"height": 384, "width": 512},
        "dynamic_spatial_size_supported": False,
        "color_mode": "rgb",
        "resize_mode": "letterbox",
        "padding_value": 127,
        "input_channels": 3,
        "scaling_factor": 255,
        "normalization": [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
    }
    assert config["image_pre_processing"] == {"auto-orient": {"enabled": True}}
    assert config["post_processing"] == {"type": "softmax", "fused": False}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network_input.input_channels", 1),
        ("network_input.scaling_factor", 1),
        ("network_input.color_mode", "bgr"),
        ("network_input.resize_mode", "fill"),
        ("network_input.padding_value", 114),
        ("image_pre_processing.contrast", {"enabled": True, "type": "Gamma"}),
        ("image_pre_processing.static-crop", {"enabled": True, "x_min": 0.5, "y_min": 0, "x_max": 9, "y_max": 9}),
    ],
)
def test_a_setting_that_would_change_pixels_unseen_is_refused_by_name(path: str, value: Any) -> None:
    with pytest.raises(
        InvalidBundleError, match=rf"inference_config\.json: .*{path.split('.')[1].split('_', maxsplit=1)[0]}"
    ):
        read_inference_config(change(make_config(), path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network_input", ABSENT),
        ("image_pre_processing", ABSENT),
        ("network_input.training_input_size", ABSENT),
        ("network_input.training_input_size.height", ABSENT),
        ("network_input.training_input_size.height", "tall"),
        ("network_input.training_input_size.height", 0),
        ("network_input.training_input_size.height", float("inf")),
        ("network_input.resize_mode", ABSENT),
        ("network_input.padding_value", [0, 0, 0]),
        ("network_input.normalization", None),
        ("network_input.normalization", [[0.5, 0.5], [0.5, 0.5]]),
        ("network_input.normalization", [[0.5, 0.5, 0.5], [0.5, 0.0, 0.5]]),
        ("network_input.normalization", [[0.5, 0.5, float("nan")], [0.5, 0.5, 0.5]]),
        ("network_input.normalization", [["red", 0.5, 0.5], [0.5, 0.5, 0.5]]),
        ("network_input", None),
        ("image_pre_processing", []),
        ("image_pre_processing.auto-orient", "on"),
        ("image_pre_processing.static-crop", {"enabled": True, "x_min": 0}),
        ("image_pre_processing.static-crop", {"enabled": True, "x_min": 9, "y_min": 0, "x_max": 9, "y_max": 9}),
        ("image_pre_processing.static-crop", {"enabled": True, "x_min": "a", "y_min": 0, "x_max": 9, "y_max": 9}),
        ("image_pre_processing.contrast", {"enabled": True}),
        ("image_pre_processing.contrast", {"enabled": True, "type": ["Gamma"]}),
        ("image_pre_processing.grayscale", True),
        ("image_pre_processing.tile", {"enabled": True, "rows": 2}),
        ("image_pre_processing.tile", {"enabled": True, "rows": 2, "columns": 0}),
        ("image_pre_processing.tile", {"enabled": True, "rows": 2, "columns": 2.5}),
    ],
)
def test_a_damaged_file_is_refused_by_name(path: str, value: Any) -> None:
    with pytest.raises(InvalidBundleError, match=r"inference_config\.json"):
        read_inference_config(change(make_config(), path, value))


@pytest.mark.parametrize(
    ("mode", "fit"),
    [
        ("stretch", Fit.STRETCH),
        ("letterbox-reflect-edges", Fit.LETTERBOX_REFLECT),
        ("fit-longer-edge", Fit.FIT_WITHIN),
        ("center-crop", Fit.CENTER_CROP),
    ],
)
@pytest.mark.parametrize("padding", [None, 0, 114])
def test_padding_says_something_of_letterboxes_alone(mode: str, fit: Fit, padding: int | None) -> None:
    config = change(change(make_config(), "network_input.resize_mode", mode), "network_input.padding_value", padding)
    assert read_inference_config(config).fit is fit


def test_every_step_is_written_as_the_stock_runtime_reads_it() -> None:
    crop, size = StaticCrop(x_min=10, y_min=20, x_max=90, y_max=100), Size(height=384, width=512)
    config = write_inference_config(
        Preprocessing(size, Fit.CENTER_CROP, crop=crop, grayscale=True, contrast=Contrast.ADAPTIVE)
    )
    assert config["network_input"]["resize_mode"] == "center-crop"
    assert config["image_pre_processing"] == {
        "auto-orient": {"enabled": True},
        "static-crop": {"enabled": True, "x_min": 10, "y_min": 20, "x_max": 90, "y_max": 100},
        "contrast": {"enabled": True, "type": "Adaptive Equalization"},
        "grayscale": {"enabled": True},
    }


def test_tiles_have_a_word_that_the_stock_runtime_passes_over() -> None:
    config = write_inference_config(Preprocessing(Size(height=384, width=512), tiles=Tiles(rows=2, columns=3)))
    assert config["image_pre_processing"]["tile"] == {"enabled": True, "rows": 2, "columns": 3}


@pytest.mark.parametrize(
    ("contrast", "name"),
    [(Contrast.STRETCHING, "Contrast Stretching"), (Contrast.HISTOGRAM, "Histogram Equalization")],
)
def test_the_other_contrasts_have_names_too(contrast: Contrast, name: str) -> None:
    config = change(make_config(), "image_pre_processing.contrast", {"enabled": True, "type": name})
    assert read_inference_config(config).contrast is contrast


@pytest.mark.parametrize("config", [None, [], "text", 5, {}])
def test_json_of_another_shape_is_refused(config: Any) -> None:
    with pytest.raises(InvalidBundleError, match=r"inference_config\.json"):
        read_inference_config(config)


def test_stock_packages_may_leave_out_or_null_what_is_off() -> None:
    config = make_config()
    config["image_pre_processing"] = {"static-crop": None, "contrast": {"enabled": False}, "grayscale": None}
    for name in ("padding_value", "input_channels", "scaling_factor", "color_mode"):
        del config["network_input"][name]
    assert read_inference_config(config) == Preprocessing(Size(height=384, width=512), Fit.LETTERBOX_BLACK)


def test_auto_orient_can_be_null_or_off() -> None:
    assert read_inference_config(change(make_config(), "image_pre_processing.auto-orient", None)).auto_orient
    off = change(make_config(), "image_pre_processing.auto-orient", {"enabled": False})
    assert not read_inference_config(off).auto_orient
