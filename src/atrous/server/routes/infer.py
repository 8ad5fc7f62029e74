"""Prediction by JSON: one picture or an array of them."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field, FiniteFloat, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.errors import NotFoundError
from atrous.server.accept import PNG
from atrous.server.answer import DEFAULT_OUTLINE_PX, Drawing, Wish
from atrous.server.asked_form import AskedForm
from atrous.server.asked_tiling import AskedTiling
from atrous.server.confidence import DEFAULT, threshold_of
from atrous.server.declared import IMAGE_SCHEMA, Image, check_count, collect_pictures
from atrous.server.disabled_steps import DisabledSteps
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.keys import find_secret, find_workspace
from atrous.server.openapi import ERRORS, Answer, reply_of
from atrous.server.replies import choose_kind, reply_all, reply_json, reply_one
from atrous.server.service import Service, service_of
from atrous.server.settings import INSTANCE_SEGMENTATION
from atrous.workspace.models import find_model
from atrous.workspace.records import Model

router = APIRouter(prefix="/infer", tags=["prediction"], responses=ERRORS)


class InferRequest(DisabledSteps, AskedForm, AskedTiling):
    """What a caller may say; other keys, of which the clients send many, are ignored."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    image: Annotated[
        Image | list[Image], WithJsonSchema({"anyOf": [IMAGE_SCHEMA, {"type": "array", "items": IMAGE_SCHEMA}]})
    ]
    api_key: str | None = None
    confidence: FiniteFloat | Literal["best", "default"] | None = DEFAULT
    id: str | None = None
    visualize_predictions: bool | None = False
    visualization_labels: bool | None = False
    visualization_stroke_width: Annotated[int, Field(ge=0, le=50)] | None = None

    def drawing(self) -> Drawing | None:
        """How the overlay is to be drawn; None if none is asked for."""
        if not self.visualize_predictions:
            return None
        width_px = self.visualization_stroke_width
        return Drawing(
            names=bool(self.visualization_labels), outline_px=DEFAULT_OUTLINE_PX if width_px is None else width_px
        )


DESCRIBED: dict[str, Any] = {
    "openapi_extra": describe_json(InferRequest),
    "responses": reply_of(Answer, many=True, other={PNG: {"schema": {"type": "string", "format": "binary"}}}),
}


@router.post("/semantic_segmentation", **DESCRIBED)
async def infer_semantic_segmentation(request: Request) -> Response:
    """Class and confidence of every pixel; an array of pictures gives an array of replies in its order.

    A caller that likes `image/png` best gets the label mask of a single picture alone.
    """
    return await _infer(request)


@router.post("/instance_segmentation", **DESCRIBED)
async def infer_instance_segmentation(request: Request) -> Response:
    """The same under the name that inference-sdk calls when the registry says so."""
    if service_of(request).settings.sdk_task != INSTANCE_SEGMENTATION:
        raise NotFoundError(
            "/infer/instance_segmentation: off, as the server's sdk_task is not instance-segmentation; use "
            "/infer/semantic_segmentation"
        )
    return await _infer(request)


async def _infer(request: Request) -> Response:
    service = service_of(request)
    body = await request.body()
    asked, model = await run_in_threadpool(_prepare, service, request, body)
    is_array = isinstance(asked.image, list)
    images = asked.image if isinstance(asked.image, list) else [asked.image]
    pictures = await collect_pictures(service.url_pictures, images, named=is_array)
    opened = await service.open_model(model, asked.model_id)
    wish = Wish(
        threshold=threshold_of(asked.confidence, model),
        max_pixels=service.settings.max_pixels,
        jpeg_scale=service.settings.jpeg_scale,
        skipped=asked.skipped_steps(),
        inference_id=asked.id,
        drawing=asked.drawing(),
        form=asked.form(),
        tiling=asked.tiling(service.settings.tile),
    )
    if is_array:
        work = partial(reply_all, reply_json, opened.loaded, pictures, wish, service.metrics)
    else:
        kind = choose_kind(request.headers, wish)
        work = partial(reply_one, kind, opened.loaded, pictures[0], wish, service.metrics)
    reply = await service.slots.run(work, opened.key)
    return reply.respond(opened)


def _prepare(service: Service, request: Request, body: bytes) -> tuple[InferRequest, Model]:
    asked = parse_json(InferRequest, body)
    workspace = find_workspace(service, find_secret(request, asked.api_key))
    model = find_model(service.ports, workspace, asked.model_id)
    if isinstance(asked.image, list):
        check_count(len(asked.image), service.settings.max_images)
    return asked, model
