"""A model and the bytes of a picture -> the reply that clients read."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import orjson

from atrous.bundle.layout import WEIGHTS_ONNX
from atrous.bundle.preprocessing import skip_steps
from atrous.bundle.reduction import JpegScale
from atrous.core.errors import BrokenModelError, InvalidBundleError
from atrous.runtime.overlay import draw_overlay
from atrous.runtime.stages import Stage, Stages
from atrous.server.forms import AS_STOCK, Form, describe_masks, quote_base64
from atrous.server.images import count_pixels, decode_image
from atrous.server.turns import check_wanted, hold_pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Step
    from atrous.runtime.decode import Answer
    from atrous.runtime.tiling import Tiling
    from atrous.server.loaded_model import LoadedModel
    from atrous.server.service import OpenModel


DEFAULT_OUTLINE_PX = 1


@dataclass(frozen=True, slots=True)
class Drawing:
    """How an overlay is drawn; the defaults are the stock server's.

    Attributes:
        names: write the names of classes on their regions.
        outline_px: width of the rims of regions.
        opacity: share of the class's colour, 0 to 1.
    """

    names: bool = False
    outline_px: int = DEFAULT_OUTLINE_PX
    opacity: float = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """How a picture is to be answered.

    Attributes:
        threshold: pixels of less confidence become background.
        max_pixels: refuse larger pictures.
        skipped: steps of the model's preprocessing to leave out.
        inference_id: to be echoed; None makes one.
        drawing: how the overlay in the reply is drawn; None for a reply without one.
        form: how the masks are told.
        jpeg_scale: at which scale JPEGs are decoded; in full where there is an overlay, or tiles.
        tiling: how a large picture is seen; None for the way that the model's bundle says.
    """

    threshold: float
    max_pixels: int
    skipped: frozenset[Step] = frozenset()
    inference_id: str | None = None
    drawing: Drawing | None = None
    form: Form = AS_STOCK
    jpeg_scale: JpegScale = JpegScale.FULL
    tiling: Tiling | None = None


def answer_picture(loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages | None = None) -> dict[str, Any]:
    """Predict one picture and give its reply for `encode_json`, keys in the order that the stock server sends them.

    `time` is in seconds and covers decoding, the model, the masks and the overlay, which comes last, as base64 of a
    JPEG, if it is wished for.

    Raises:
        InvalidImageError: if the bytes are no picture.
        TooLargeError: if the picture has too many pixels or tiles.
        BrokenModelError: if the model answers something else than its class names.
    """
    started = time.perf_counter()
    stages = stages or Stages()
    image_HWC, answer = predict_answer(loaded, data, wish, stages)
    height, width = answer.mask_HW.shape
    with stages.time(Stage.PNG):
        predictions = describe_masks(answer, wish.form, loaded.engine.bundle.class_map, loaded.engine.crew)
    drawn: dict[str, Any] = {}
    if wish.drawing is not None:
        drawn["visualization"] = quote_base64(_draw(loaded, image_HWC, answer.mask_HW, wish.drawing))
    return {
        "inference_id": wish.inference_id or str(uuid.uuid4()),
        "time": time.perf_counter() - started,
        "resolved_model": _resolved_model(loaded),
        "image": {"width": width, "height": height},
        "predictions": predictions,
        **drawn,
    }


def lift_mask(reply: dict[str, Any]) -> dict[str, Any]:
    """The same reply with a copy of the label mask and its classes at the top, where the roboflow package looks."""
    predictions = reply["predictions"]
    copied = {name: predictions[name] for name in ("segmentation_mask", "class_map")}
    # Before the rest, as readers of the stock reply may count on its order.
    return copied | reply


def draw_picture(loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages | None = None) -> bytes:
    """Predict one picture and give it as JPEG with its label mask drawn over it.

    Raises:
        InvalidImageError: if the bytes are no picture.
        TooLargeError: if the picture has too many pixels or tiles.
        BrokenModelError: if the model answers something else than its class names.
    """
    drawing = wish.drawing or Drawing()
    image_HWC, answer = predict_answer(loaded, data, replace(wish, drawing=drawing), stages)
    return _draw(loaded, image_HWC, answer.mask_HW, drawing)


def predict_answer(
    loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages | None = None
) -> tuple[NDArray[np.uint8], Answer]:
    """Give a picture as BGR image_HWC, perhaps at a fraction of its size, and its answer under the wished threshold.

    Raises:
        InvalidImageError: if the bytes are no picture.
        TooLargeError: if the picture has too many pixels or tiles.
        BrokenModelError: if the model answers something else than its class names.
    """
    stages = stages or Stages()
    engine, model = loaded.engine, loaded.model
    preprocessing = skip_steps(engine.bundle.preprocessing, wish.skipped)
    scale = JpegScale.FULL if wish.drawing or wish.tiling else wish.jpeg_scale
    hold_pixels(count_pixels(data, max_pixels=wish.max_pixels))
    with stages.time(Stage.PICTURE):
        picture = decode_image(data, preprocessing, max_pixels=wish.max_pixels, scale=scale)
    image_HWC = picture.image_HWC
    try:
        return image_HWC, engine.answer(
            image_HWC,
            wish.threshold,
            wish.skipped,
            stages,
            tiling=wish.tiling,
            before_tile=check_wanted,
            picture=picture.size,
        )
    except InvalidBundleError as error:
        raise BrokenModelError(f"model {model.workspace}/{model.slug} cannot be used: {error}") from error


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


def _draw(loaded: LoadedModel, image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], drawing: Drawing) -> bytes:
    overlay_HWC = draw_overlay(
        image_HWC,
        mask_HW,
        loaded.engine.bundle.class_map,
        opacity=drawing.opacity,
        outline_px=drawing.outline_px,
        names=drawing.names,
    )
    _, jpeg = cv2.imencode(".jpg", overlay_HWC)
    return jpeg.tobytes()


def _resolved_model(loaded: LoadedModel) -> dict[str, str]:
    return {
        "model_id": f"{loaded.model.workspace}/{loaded.model.slug}",
        "model_package_id": loaded.engine.bundle.manifest.sha256[WEIGHTS_ONNX][:32],
        "backend": loaded.engine.backend,
        "quantization": loaded.engine.quantization,
    }
