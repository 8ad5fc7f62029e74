"""`inference_config.json`: a bundle's preprocessing in the words of the stock Roboflow runtime."""

from __future__ import annotations

from typing import Any

from atrous.bundle.preprocessing import PADDING_GREY_LEVEL, Fit, Preprocessing
from atrous.core.errors import AtrousError, InvalidBundleError
from atrous.core.sizes import Size


def write_inference_config(preprocessing: Preprocessing) -> dict[str, Any]:
    """Give the JSON object for `inference_config.json`."""
    letterboxed = preprocessing.fit is not Fit.STRETCH
    return {
        "image_pre_processing": {"auto-orient": {"enabled": preprocessing.auto_orient}},
        "network_input": {
            "training_input_size": {"height": preprocessing.size.height, "width": preprocessing.size.width},
            "dynamic_spatial_size_supported": False,
            "color_mode": "rgb",
            "resize_mode": "letterbox" if letterboxed else "stretch",
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
            auto_orient=bool(steps.get("auto-orient", {}).get("enabled", True)),
            mean_RGB=(float(mean[0]), float(mean[1]), float(mean[2])),
            std_RGB=(float(std[0]), float(std[1]), float(std[2])),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, AtrousError) as error:
        raise InvalidBundleError(f"inference_config.json: cannot be read ({error}); export the model again") from error
    for name, (found, supported) in facts.items():
        if found != supported:
            raise InvalidBundleError(f"inference_config.json: {name} is {found!r}; only {supported!r} is supported")
    for step in ("static-crop", "contrast", "grayscale"):
        if steps.get(step, {}).get("enabled"):
            raise InvalidBundleError(f"inference_config.json: the step {step!r} is not supported")
    return preprocessing


def _read_fit(resize_mode: str, padding_value: int) -> Fit:
    if resize_mode == "stretch":
        return Fit.STRETCH
    for fit, grey_level in PADDING_GREY_LEVEL.items():
        if resize_mode == "letterbox" and grey_level == padding_value:
            return fit
    raise ValueError(f"resize_mode {resize_mode!r} with padding {padding_value} is not supported")
