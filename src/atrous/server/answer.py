"""A model and the bytes of a picture -> the reply that clients read."""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import orjson

from atrous.bundle.layout import WEIGHTS_ONNX
from atrous.core.errors import BrokenModelError, InvalidBundleError
from atrous.runtime.decode import Prediction, apply_threshold, confidence_levels
from atrous.runtime.overlay import draw_overlay
from atrous.runtime.png import encode_grey_png
from atrous.server.images import decode_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.server.pool import LoadedModel
    from atrous.server.service import OpenModel


@dataclass(frozen=True, slots=True)
class Wish:
    """How a picture is to be answered.

    Attributes:
        threshold: pixels of less confidence become background.
        auto_orient: turn the picture as its EXIF orientation says, if the model was trained so.
        max_pixels: refuse larger pictures.
        inference_id: to be echoed; None makes one.
    """

    threshold: float
    auto_orient: bool
    max_pixels: int
    inference_id: str | None = None


def answer_picture(loaded: LoadedModel, data: bytes, wish: Wish) -> dict[str, Any]:
    """Predict one picture and give its reply, keys in the order that the stock server sends them.

    `time` is in seconds and covers decoding, the model and the masks.

    Raises:
        InvalidImageError: if the bytes are no picture.
        TooLargeError: if the picture has too many pixels.
        BrokenModelError: if the model answers something else than its class names.
    """
    started = time.perf_counter()
    image_HWC, prediction = _predict(loaded, data, wish)
    height, width = image_HWC.shape[:2]
    predictions = {
        "segmentation_mask": _grey_png_text(prediction.mask_HW),
        "class_map": loaded.engine.bundle.class_map.as_json(),
        "confidence_mask": _grey_png_text(confidence_levels(prediction.confidence_HW)),
        "present_class_ids": _present_class_ids(prediction.mask_HW),
    }
    return {
        "inference_id": wish.inference_id or str(uuid.uuid4()),
        "time": time.perf_counter() - started,
        "resolved_model": _resolved_model(loaded),
        "image": {"width": width, "height": height},
        "predictions": predictions,
    }


def draw_picture(loaded: LoadedModel, data: bytes, wish: Wish) -> bytes:
    """Predict one picture and give it as JPEG with its label mask drawn over it.

    Raises:
        InvalidImageError: if the bytes are no picture.
        TooLargeError: if the picture has too many pixels.
        BrokenModelError: if the model answers something else than its class names.
    """
    image_HWC, prediction = _predict(loaded, data, wish)
    overlay_HWC = draw_overlay(image_HWC, prediction.mask_HW, loaded.engine.bundle.class_map)
    _, jpeg = cv2.imencode(".jpg", overlay_HWC)
    return jpeg.tobytes()


def encode_json(content: Any) -> bytes:
    """JSON as bytes."""
    return orjson.dumps(content)


def model_headers(opened: OpenModel) -> dict[str, str]:
    """Headers that tell which model answered and whether it had to be loaded first."""
    headers = {"x-model-id": opened.model_id, "x-model-cold-start": str(opened.is_cold).lower()}
    if opened.is_cold:
        load_time_s = round(opened.loaded.load_time_s, 6)
        headers["x-model-cold-start-count"] = "1"
        headers["x-model-load-time"] = str(load_time_s)
        headers["x-model-load-details"] = encode_json([{"m": opened.model_id, "t": load_time_s}]).decode()
    return headers


def _predict(loaded: LoadedModel, data: bytes, wish: Wish) -> tuple[NDArray[np.uint8], Prediction]:
    engine, model = loaded.engine, loaded.model
    auto_orient = wish.auto_orient and engine.bundle.preprocessing.auto_orient
    image_HWC = decode_image(data, auto_orient=auto_orient, max_pixels=wish.max_pixels)
    try:
        prediction = engine.predict(image_HWC)
    except InvalidBundleError as error:
        raise BrokenModelError(f"model {model.workspace}/{model.slug} cannot be used: {error}") from error
    return image_HWC, apply_threshold(prediction, wish.threshold)


def _resolved_model(loaded: LoadedModel) -> dict[str, str]:
    return {
        "model_id": f"{loaded.model.workspace}/{loaded.model.slug}",
        "model_package_id": loaded.engine.bundle.manifest.sha256[WEIGHTS_ONNX][:32],
        "backend": loaded.engine.backend,
        "quantization": loaded.engine.quantization,
    }


def _grey_png_text(pixels_HW: NDArray[np.uint8]) -> str:
    return base64.b64encode(encode_grey_png(pixels_HW)).decode("ascii")


def _present_class_ids(mask_HW: NDArray[np.uint8]) -> list[int]:
    # A histogram is linear; np.unique sorts every pixel.
    counts = cv2.calcHist([mask_HW], [0], None, [256], [0, 256])
    return np.flatnonzero(counts).tolist()
