"""Prediction the v0 way: `/{project}/{version}`, the picture as the body, everything else in the query."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.errors import NotFoundError
from atrous.core.ids import RESERVED_SLUGS
from atrous.server.answer import Wish, answer_picture, draw_picture, encode_json, model_headers
from atrous.server.confidence import DEFAULT, threshold_of_query
from atrous.server.images import OFF, bad_image, check_image_type, read_body
from atrous.server.keys import NO_KEY, find_secret, find_workspace
from atrous.server.pool import LoadedModel
from atrous.server.service import Service, service_of
from atrous.workspace.models import find_model
from atrous.workspace.records import Model

router = APIRouter(tags=["prediction"])


class LegacyQuery(BaseModel):
    """What has a meaning for label masks; the rest of what v0 clients send is accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    confidence: FiniteFloat | Literal["best", "default"] = DEFAULT
    format: str = "json"
    image: str | None = None
    image_type: str = "base64"
    disable_preproc_auto_orient: bool = False

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: Any) -> Any:
        """Take an empty value and the word None for none at all; a parameter sent twice arrives as a list."""
        return {name: value for name, value in values.items() if not (isinstance(value, str) and value in NO_KEY)}


@router.get("/{project}/{version}", include_in_schema=False)
@router.post("/{project}/{version}")
async def infer_legacy(
    request: Request, project: str, version: str, query: Annotated[LegacyQuery, Query()]
) -> Response:
    """Class and confidence of every pixel of one picture.

    The body is base64 text or the bytes of a picture, whatever its content type says, or a form whose field `file`
    holds the picture. `format=image` answers with a JPEG of the picture under its label mask.
    """
    if project in RESERVED_SLUGS:
        raise NotFoundError(f"/{project}/{version}: this server has no such path; see /docs")
    service = service_of(request)
    model_id = f"{project}/{version}"
    model = await run_in_threadpool(_find_model, service, find_secret(request), model_id)
    source = await _read_source(request, query)
    opened = await service.open_model(model, model_id)
    wish = Wish(
        threshold=threshold_of_query(query.confidence),
        auto_orient=not query.disable_preproc_auto_orient,
        max_pixels=service.settings.max_pixels,
    )
    answer, media_type = (_draw, "image/jpeg") if query.format == "image" else (_answer, "application/json")
    content = await service.slots.run(partial(answer, opened.loaded, source, wish))
    return Response(content, media_type=media_type, headers=model_headers(opened))


def _find_model(service: Service, secret: str | None, model_id: str) -> Model:
    return find_model(service.ports, find_workspace(service, secret), model_id)


async def _read_source(request: Request, query: LegacyQuery) -> bytes:
    """The picture's bytes or its base64 text, told apart later."""
    check_image_type(query.image_type)
    if query.image is not None:
        raise bad_image(OFF["url"])
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _read_form(request)
    return await request.body()


async def _read_form(request: Request) -> bytes:
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_image("Expected image to be sent in part named 'file' of multipart/form-data request.")
        return await file.read()


def _answer(loaded: LoadedModel, source: bytes, wish: Wish) -> bytes:
    return encode_json(answer_picture(loaded, read_body(source), wish))


def _draw(loaded: LoadedModel, source: bytes, wish: Wish) -> bytes:
    return draw_picture(loaded, read_body(source), wish)
