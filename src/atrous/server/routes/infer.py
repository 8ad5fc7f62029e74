"""Prediction by JSON: one picture or an array of them."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, FiniteFloat, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.errors import InvalidImageError, InvalidInputError, NotFoundError, TooLargeError
from atrous.server.answer import Wish, answer_picture, encode_json, model_headers
from atrous.server.confidence import DEFAULT, threshold_of
from atrous.server.images import read_image
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.keys import find_secret, find_workspace
from atrous.server.pool import LoadedModel
from atrous.server.service import Service, service_of
from atrous.server.settings import INSTANCE_SEGMENTATION
from atrous.workspace.models import find_model
from atrous.workspace.records import Model

router = APIRouter(prefix="/infer", tags=["prediction"])

IMAGE_SCHEMA = {
    "type": "object",
    "properties": {"type": {"type": "string", "const": "base64"}, "value": {"type": "string"}},
    "required": ["type", "value"],
}


class Image(BaseModel):
    """A declared picture. The value is looked at when the picture is read, so that nothing walks through it twice."""

    type: str
    value: Any = None


class InferRequest(BaseModel):
    """What a caller may say; other keys, of which the clients send many, are ignored."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    image: Annotated[
        Image | list[Image], WithJsonSchema({"anyOf": [IMAGE_SCHEMA, {"type": "array", "items": IMAGE_SCHEMA}]})
    ]
    api_key: str | None = None
    confidence: FiniteFloat | Literal["best", "default"] | None = DEFAULT
    disable_preproc_auto_orient: bool | None = False
    id: str | None = None


@router.post("/semantic_segmentation", openapi_extra=describe_json(InferRequest))
async def infer_semantic_segmentation(request: Request) -> Response:
    """Class and confidence of every pixel; an array of pictures gives an array of replies in its order."""
    return await _infer(request)


@router.post("/instance_segmentation", openapi_extra=describe_json(InferRequest))
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
    opened = await service.open_model(model, asked.model_id)
    wish = Wish(
        threshold=threshold_of(asked.confidence),
        auto_orient=not asked.disable_preproc_auto_orient,
        max_pixels=service.settings.max_pixels,
        inference_id=asked.id,
    )
    content = await service.slots.run(partial(_answer, opened.loaded, asked.image, wish))
    return Response(content, media_type="application/json", headers=model_headers(opened))


def _prepare(service: Service, request: Request, body: bytes) -> tuple[InferRequest, Model]:
    asked = parse_json(InferRequest, body)
    workspace = find_workspace(service, find_secret(request, asked.api_key))
    model = find_model(service.ports, workspace, asked.model_id)
    if isinstance(asked.image, list):
        _check_count(len(asked.image), service.settings.max_images)
    return asked, model


def _check_count(count: int, max_images: int) -> None:
    if count == 0:
        raise InvalidInputError("Error with model input. Cause: the array of images is empty; send at least one.")
    if count > max_images:
        raise TooLargeError(f"the request has {count} images; send at most {max_images} at a time")


def _answer(loaded: LoadedModel, image: Image | Sequence[Image], wish: Wish) -> bytes:
    if isinstance(image, Image):
        return encode_json(_answer_one(loaded, image, wish))
    return encode_json([_answer_nth(loaded, one, wish, place) for place, one in enumerate(image)])


def _answer_nth(loaded: LoadedModel, image: Image, wish: Wish, place: int) -> dict[str, Any]:
    try:
        return _answer_one(loaded, image, wish)
    except (InvalidImageError, TooLargeError) as error:
        raise type(error)(f"image {place}: {error}") from error


def _answer_one(loaded: LoadedModel, image: Image, wish: Wish) -> dict[str, Any]:
    return answer_picture(loaded, read_image(image.type, image.value), wish)
