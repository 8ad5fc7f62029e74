"""Prediction the v0 way: `/{project}/{version}`, the picture as the body, everything else in the query."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, FiniteFloat, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.ids import RESERVED_SLUGS
from atrous.server.accept import JPEG, PNG
from atrous.server.answer import DEFAULT_OUTLINE_PX, Drawing, Wish
from atrous.server.asked_form import AskedForm
from atrous.server.asked_tiling import AskedTiling
from atrous.server.confidence import DEFAULT, threshold_of_query
from atrous.server.declared import URL, Image, collect_pictures
from atrous.server.disabled_steps import DisabledSteps
from atrous.server.images import bad_image, check_image_type, read_body
from atrous.server.keys import NO_KEY, find_secret, find_workspace
from atrous.server.openapi import ERRORS, Answer, reply_of
from atrous.server.replies import choose_kind, reply_one
from atrous.server.service import Service, service_of
from atrous.server.workspace_paths import NumberedRoute, ToldSlug
from atrous.workspace.models import find_model
from atrous.workspace.records import Model

router = APIRouter(tags=["prediction"], responses=ERRORS)
# The same as `router`, before all others: trying each of those first takes a millisecond.
numbered = APIRouter(route_class=NumberedRoute, include_in_schema=False)

BODY = {
    "requestBody": {
        "content": {
            "text/plain": {"schema": {"type": "string", "description": "base64 of a picture file"}},
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
        }
    }
}
# Sent with every request by inference-sdk, and by nobody else; it reads no copy of the mask.
SDK_PARAMETER = "disable_active_learning"
PICTURES: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (JPEG, PNG)}


class LegacyAnswer(Answer):
    """The class of every pixel, with a copy of mask and classes at the top for the roboflow package."""

    segmentation_mask: str | None = None
    class_map: dict[str, str] | None = None


class LegacyQuery(DisabledSteps, AskedForm, AskedTiling):
    """What has a meaning for label masks; the rest of what v0 clients send is accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    confidence: FiniteFloat | Literal["best", "default"] = DEFAULT
    format: str = "json"
    labels: bool = False
    stroke: Annotated[int, Field(ge=0, le=50)] = DEFAULT_OUTLINE_PX
    opacity: Annotated[FiniteFloat, Field(ge=0, le=1)] = 0.5
    image: str | None = None
    image_type: str = "base64"

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: Any) -> Any:
        """Take an empty value and the word None for none at all; a parameter sent twice arrives as a list."""
        return {name: value for name, value in values.items() if not (isinstance(value, str) and value in NO_KEY)}

    def drawing(self) -> Drawing | None:
        """How the overlay is to be drawn; None if none is asked for."""
        if self.format not in {"image", "image_and_json"}:
            return None
        return Drawing(names=self.labels, outline_px=self.stroke, opacity=self.opacity)


@numbered.get("/{project}/{version}")
@numbered.post("/{project}/{version}")
@router.get("/{project}/{version}", include_in_schema=False)
@router.post("/{project}/{version}", openapi_extra=BODY, responses=reply_of(LegacyAnswer, other=PICTURES))
async def infer_legacy(
    request: Request, project: ToldSlug, version: ToldSlug, query: Annotated[LegacyQuery, Query()]
) -> Response:
    """Class and confidence of every pixel of one picture.

    The body is base64 text or the bytes of a picture, whatever its content type says, or a form whose field `file`
    holds the picture; `image=URL` names it instead where the server's `url_pictures` allows that. `format=image`
    answers with a JPEG of the picture under its label mask, `image_and_json` adds it as `visualization`. A caller that
    likes `image/png` best gets the label mask alone, with its classes in `x-class-map` if they are not many.
    """
    if project in RESERVED_SLUGS:
        raise HTTPException(404, f"/{project}/{version}: this server has no such path; see /docs")
    service = service_of(request)
    model_id = f"{project}/{version}"
    model = await run_in_threadpool(_find_model, service, find_secret(request), model_id)
    read = await _find_picture(service, request, query)
    opened = await service.open_model(model, model_id)
    wish = Wish(
        threshold=threshold_of_query(query.confidence, model),
        max_pixels=service.settings.max_pixels,
        jpeg_scale=service.settings.jpeg_scale,
        skipped=query.skipped_steps(),
        drawing=query.drawing(),
        form=query.form(),
        tiling=query.tiling(service.settings.tile),
    )
    kind = choose_kind(
        request.headers,
        wish,
        is_drawn=query.format == "image",
        is_copied=SDK_PARAMETER not in request.query_params,
    )
    reply = await service.slots.run(partial(reply_one, kind, opened.loaded, read, wish, service.metrics), opened.key)
    return reply.respond(opened)


def _find_model(service: Service, secret: str | None, model_id: str) -> Model:
    return find_model(service.ports, find_workspace(service, secret), model_id)


async def _find_picture(service: Service, request: Request, query: LegacyQuery) -> Callable[[], bytes]:
    if query.image is not None:
        return await _fetch(service, query.image)
    body = await _read_body(request)
    if query.image_type.lower() == URL:
        return await _fetch(service, body.decode("utf-8", "replace").strip())
    check_image_type(query.image_type)
    return partial(read_body, body)


async def _fetch(service: Service, url: str) -> Callable[[], bytes]:
    (read,) = await collect_pictures(service.url_pictures, [Image(type=URL, value=url)], named=False)
    return read


async def _read_body(request: Request) -> bytes:
    """The picture's bytes or its base64 text, told apart later."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _read_form(request)
    return await request.body()


async def _read_form(request: Request) -> bytes:
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_image("Expected image to be sent in part named 'file' of multipart/form-data request.")
        return await file.read()
