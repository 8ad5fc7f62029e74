"""`inference_config.json`: a bundle's preprocessing in the words of the stock Roboflow runtime.

Stock servers know no tiles: they pass over the step and show the network whole pictures, brought to a tile's size.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import PADDING_GREY_LEVEL, Fit, Preprocessing
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import AtrousError, InvalidBundleError
from atrous.core.sizes import Size

RESIZE_MODES = {
    Fit.STRETCH: "stretch",
    Fit.LETTERBOX_BLACK: "letterbox",
    Fit.LETTERBOX_GREY: "letterbox",
    Fit.LETTERBOX_WHITE: "letterbox",
    Fit.LETTERBOX_REFLECT: "letterbox-reflect-edges",
    Fit.FIT_WITHIN: "fit-longer-edge",
    Fit.CENTER_CROP: "center-crop",
}
CONTRAST_TYPES = {
    Contrast.STRETCHING: "Contrast Stretching",
    Contrast.HISTOGRAM: "Histogram Equalization",
    Contrast.ADAPTIVE: "Adaptive Equalization",
}
CROP_EDGES = ("x_min", "y_min", "x_max", "y_max")
# Below it, a grey level is worth more than float32 can tell apart.
LEAST_STD = 1e-6


def write_inference_config(preprocessing: Preprocessing) -> dict[str, Any]:
    """Give the JSON object for `inference_config.json`."""
    return {
        "image_pre_processing": _write_steps(preprocessing),
        "network_input": {
            "training_input_size": {"height": preprocessing.size.height, "width": preprocessing.size.width},
            "dynamic_spatial_size_supported": False,
            "color_mode": "rgb",
            "resize_mode": RESIZE_MODES[preprocessing.fit],
            "padding_value": PADDING_GREY_LEVEL.get(preprocessing.fit, 0),
            "input_channels": 3,
            "scaling_factor": 255,
            "normalization": [list(preprocessing.mean_RGB), list(preprocessing.std_RGB)],
        },
        "post_processing": {"type": "softmax", "fused": False},
    }


def read_inference_config(config: Any) -> Preprocessing:
    """Read what `write_inference_config` gives, and what stock packages hold where we support it.

    Raises:
        InvalidBundleError: if a key is missing or a value is one that this runtime cannot honour.
    """
    try:
        steps = config["image_pre_processing"]
        network = config["network_input"]
        size = Size(**{side: int(network["training_input_size"][side]) for side in ("height", "width")})
        mean, std = network["normalization"]
        fit = _read_fit(str(network["resize_mode"]), int(network.get("padding_value") or 0))
        facts = {
            "input_channels": (network.get("input_channels", 3), 3),
            "scaling_factor": (network.get("scaling_factor", 255), 255),
            "color_mode": (network.get("color_mode", "rgb"), "rgb"),
        }
        preprocessing = Preprocessing(
            size=size,
            fit=fit,
            auto_orient=_is_enabled(steps, "auto-orient", default=True),
            mean_RGB=_read_channels(mean, least=-math.inf),
            std_RGB=_read_channels(std, least=LEAST_STD),
            crop=_read_crop(steps["static-crop"]) if _is_enabled(steps, "static-crop", default=False) else None,
            grayscale=_is_enabled(steps, "grayscale", default=False),
            contrast=_read_contrast(steps["contrast"]) if _is_enabled(steps, "contrast", default=False) else None,
            tiles=_read_tiles(steps["tile"]) if _is_enabled(steps, "tile", default=False) else None,
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, AtrousError) as error:
        raise InvalidBundleError(f"inference_config.json: cannot be read ({error}); export the model again") from error
    for name, (found, supported) in facts.items():
        if found != supported:
            raise InvalidBundleError(f"inference_config.json: {name} is {found!r}; only {supported!r} is supported")
    return preprocessing


def _write_steps(preprocessing: Preprocessing) -> dict[str, Any]:
    steps: dict[str, Any] = {"auto-orient": {"enabled": preprocessing.auto_orient}}
    if preprocessing.crop:
        steps["static-crop"] = {"enabled": True} | {edge: getattr(preprocessing.crop, edge) for edge in CROP_EDGES}
    if preprocessing.contrast:
        steps["contrast"] = {"enabled": True, "type": CONTRAST_TYPES[preprocessing.contrast]}
    if preprocessing.grayscale:
        steps["grayscale"] = {"enabled": True}
    if preprocessing.tiles:
        steps["tile"] = {"enabled": True, "rows": preprocessing.tiles.rows, "columns": preprocessing.tiles.columns}
    return steps


def _is_enabled(steps: Any, name: str, *, default: bool) -> bool:
    step: Any = steps.get(name)
    # Stock packages write a step that is not set as null.
    return default if step is None else bool(step.get("enabled", default))


def _read_crop(step: Any) -> StaticCrop:
    percents = [step[edge] for edge in CROP_EDGES]
    if any(int(percent) != percent for percent in percents):
        raise ValueError(f"static-crop {percents} is not in whole percent")
    return StaticCrop(*(int(percent) for percent in percents))


def _read_tiles(step: Any) -> Tiles:
    return Tiles(rows=operator.index(step["rows"]), columns=operator.index(step["columns"]))


def _read_contrast(step: Any) -> Contrast:
    for contrast, name in CONTRAST_TYPES.items():
        if name == step["type"]:
            return contrast
    raise ValueError(f"contrast {step['type']!r} is not supported")


def _read_channels(values: Any, *, least: float) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    if not all(math.isfinite(value) and value >= least for value in (red, green, blue)):
        raise ValueError(f"normalization {values} cannot be computed with")
    return red, green, blue


def _read_fit(resize_mode: str, padding_value: int) -> Fit:
    for fit, mode in RESIZE_MODES.items():
        if mode == resize_mode and PADDING_GREY_LEVEL.get(fit, padding_value) == padding_value:
            return fit
    raise ValueError(f"resize_mode {resize_mode!r} with padding {padding_value} is not supported")
