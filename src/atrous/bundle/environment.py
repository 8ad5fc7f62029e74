"""`environment.json`: a bundle's preprocessing in the words that older Roboflow servers read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.bundle.inference_config import CONTRAST_TYPES, CROP_EDGES
from atrous.bundle.preprocessing import Fit

if TYPE_CHECKING:
    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap

RESIZE_FORMATS = {
    Fit.STRETCH: "Stretch to",
    Fit.LETTERBOX_BLACK: "Fit (black edges) in",
    Fit.LETTERBOX_GREY: "Fit (grey edges) in",
    Fit.LETTERBOX_WHITE: "Fit (white edges) in",
    Fit.LETTERBOX_REFLECT: "Fit (reflect edges) in",
    Fit.FIT_WITHIN: "Fit within",
    Fit.CENTER_CROP: "Fill (with center crop) in",
}


def write_environment(class_map: ClassMap, preprocessing: Preprocessing) -> dict[str, Any]:
    """Give the JSON object for `environment.json`; mean and standard deviation have no words there."""
    size = preprocessing.size
    resize = {"width": size.width, "height": size.height, "format": RESIZE_FORMATS[preprocessing.fit]}
    steps: dict[str, Any] = {"resize": {"enabled": True} | resize}
    # Its readers look for the name alone.
    if preprocessing.auto_orient:
        steps["auto-orient"] = {"enabled": True}
    if preprocessing.crop:
        steps["static-crop"] = {"enabled": True} | {edge: getattr(preprocessing.crop, edge) for edge in CROP_EDGES}
    if preprocessing.contrast:
        steps["contrast"] = {"enabled": True, "type": CONTRAST_TYPES[preprocessing.contrast]}
    if preprocessing.grayscale:
        steps["grayscale"] = {"enabled": True}
    return {"PREPROCESSING": steps, "CLASS_MAP": class_map.as_json(), "MULTICLASS": False}
