"""Prediction by JSON: one picture or an array of them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field, FiniteFloat, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.errors import NotFoundError
from atrous.server.answer import DEFAULT_OUTLINE_PX, Drawing, Wish, answer_picture, encode_json, model_headers
from atrous.server.confidence import DEFAULT, threshold_of
from atrous.server.declared import IMAGE_SCHEMA, Image, check_count, collect_pictures, name_picture
from atrous.server.disabled_steps import DisabledSteps
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.keys import find_secret, find_workspace
from atrous.server.openapi import ERRORS, Answer, reply_of
from atrous.server.pool import LoadedModel
from atrous.server.service import Service, service_of
from atrous.server.settings import INSTANCE_SEGMENTATION
from atrous.workspace.models import find_model
from atrous.workspace.records import Model

router = APIRouter(prefix="/infer", tags=["prediction"], responses=ERRORS)


class InferRequest(DisabledSteps):
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


@router.post("/semantic_segmentation", openapi_extra=describe_json(InferRequest), responses=reply_of(Answer, many=True))
async def infer_semantic_segmentation(request: Request) -> Response:
    """Class and confidence of every pixel; an array of pictures gives an array of replies in its order."""
    return await _infer(request)


@router.post("/instance_segmentation", openapi_extra=describe_json(InferRequest), responses=reply_of(Answer, many=True))
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
        skipped=asked.skipped_steps(),
        inference_id=asked.id,
        drawing=asked.drawing(),
    )
    answer = _answer_array if is_array else _answer_one
    content = await service.slots.run(partial(answer, opened.loaded, pictures, wish))
    return Response(content, media_type="application/json", headers=model_headers(opened))


def _prepare(service: Service, request: Request, body: bytes) -> tuple[InferRequest, Model]:
    asked = parse_json(InferRequest, body)
    workspace = find_workspace(service, find_secret(request, asked.api_key))
    model = find_model(service.ports, workspace, asked.model_id)
    if isinstance(asked.image, list):
        check_count(len(asked.image), service.settings.max_images)
    return asked, model


def _answer_one(loaded: LoadedModel, pictures: Sequence[Callable[[], bytes]], wish: Wish) -> bytes:
    return encode_json(answer_picture(loaded, pictures[0](), wish))


def _answer_array(loaded: LoadedModel, pictures: Sequence[Callable[[], bytes]], wish: Wish) -> bytes:
    return encode_json([_answer_nth(loaded, read, wish, place) for place, read in enumerate(pictures)])


def _answer_nth(loaded: LoadedModel, read: Callable[[], bytes], wish: Wish, place: int) -> dict[str, Any]:
    with name_picture(place):
        return answer_picture(loaded, read(), wish)
