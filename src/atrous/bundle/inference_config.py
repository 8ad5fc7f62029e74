"""`inference_config.json`: a bundle's preprocessing in the words of the stock Roboflow runtime."""

from __future__ import annotations

import math
from typing import Any

from atrous.bundle.preprocessing import PADDING_GREY_LEVEL, Fit, Preprocessing
from atrous.core.errors import AtrousError, InvalidBundleError
from atrous.core.sizes import Size

UNSUPPORTED_STEPS = ("static-crop", "contrast", "grayscale")
# Below it, a grey level is worth more than float32 can tell apart.
LEAST_STD = 1e-6


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
        enabled = [step for step in UNSUPPORTED_STEPS if _is_enabled(steps, step, default=False)]
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
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, AtrousError) as error:
        raise InvalidBundleError(f"inference_config.json: cannot be read ({error}); export the model again") from error
    for name, (found, supported) in facts.items():
        if found != supported:
            raise InvalidBundleError(f"inference_config.json: {name} is {found!r}; only {supported!r} is supported")
    if enabled:
        raise InvalidBundleError(f"inference_config.json: the step {enabled[0]!r} is not supported")
    return preprocessing


def _is_enabled(steps: Any, name: str, *, default: bool) -> bool:
    step: Any = steps.get(name)
    # Stock packages write a step that is not set as null.
    return default if step is None else bool(step.get("enabled", default))


def _read_channels(values: Any, *, least: float) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    if not all(math.isfinite(value) and value >= least for value in (red, green, blue)):
        raise ValueError(f"normalization {values} cannot be computed with")
    return red, green, blue


def _read_fit(resize_mode: str, padding_value: int) -> Fit:
    if resize_mode == "stretch":
        return Fit.STRETCH
    for fit, grey_level in PADDING_GREY_LEVEL.items():
        if resize_mode == "letterbox" and grey_level == padding_value:
            return fit
    raise ValueError(f"resize_mode {resize_mode!r} with padding {padding_value} is not supported")
