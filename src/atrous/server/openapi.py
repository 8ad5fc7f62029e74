"""What the description of the API says that FastAPI cannot see: bodies read by hand, replies made by hand, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from fastapi import FastAPI

Responses = dict[int | str, dict[str, Any]]


class Error(BaseModel):
    """What went wrong and what to do about it, in one sentence."""

    message: str


class Detail(BaseModel):
    """Where in a request something cannot be, and why."""

    type: str
    loc: list[str | int]
    msg: str


class ValidationError(Error):
    """A request of another form; values are not repeated, as they may be keys or pictures."""

    detail: list[Detail]


class ResolvedModel(BaseModel):
    """What answered."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_package_id: str
    backend: str
    quantization: str


class PictureSize(BaseModel):
    """In pixels, after EXIF rotation."""

    width: int
    height: int


class Rle(BaseModel):
    """Run lengths as COCO's compressed text, for a mask of `size`: height and width."""

    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    counts: str


class MaskPart(BaseModel):
    """What is told of a class and of a region alike.

    `area` is in pixels, `share` that of the picture, `confidence` the mean, `bbox` left, top, width and height.
    """

    class_name: str = Field(alias="class")
    class_id: int
    confidence: float
    area: int
    share: float
    bbox: Annotated[list[int], Field(min_length=4, max_length=4)]


class MaskClass(MaskPart):
    """All pixels of one class."""

    rle: Rle


Corners = list[Annotated[list[int], Field(min_length=2, max_length=2)]]


class MaskRegion(MaskPart):
    """Connected pixels of one class: x and y of the corners of its outline, and of those of its holes.

    Pixel (x, y) lies between the corners (x, y) and (x + 1, y + 1).
    """

    exterior: Corners
    holes: list[Corners]


class Predictions(BaseModel):
    """Masks are base64 of 8-bit grey PNGs of the picture's size: class ids, and confidence times 255.

    Both are there unless `masks` asks for something else: `label` leaves out `confidence_mask`, `none` both. Instead of
    both, `rle` gives `classes`, without background, and `polygons` gives `regions`, the largest first; `truncated` says
    that there are more of them than may be told.
    """

    segmentation_mask: str | None = None
    class_map: dict[str, str]
    confidence_mask: str | None = None
    present_class_ids: list[int]
    classes: list[MaskClass] | None = None
    regions: list[MaskRegion] | None = None
    truncated: bool | None = None


class Answer(BaseModel):
    """The class of every pixel; `visualization` is base64 of a JPEG, there only if it was asked for."""

    inference_id: str
    time: float
    resolved_model: ResolvedModel
    image: PictureSize
    predictions: Predictions
    visualization: str | None = None


# What any route that needs a key may answer with.
ERRORS: Responses = {
    400: {"model": Error, "description": "The request asks for something that cannot be."},
    401: {"model": Error, "description": "No key was sent, or one that is not valid here."},
    403: {"model": Error, "description": "The key may not do this."},
    404: {"model": Error, "description": "There is nothing of this name that the key may see."},
    408: {"model": Error, "description": "The body stopped arriving."},
    413: {"model": Error, "description": "Over a limit, which the message names."},
    422: {"model": ValidationError, "description": "The body or a parameter has another form."},
    429: {"model": Error, "description": "Too many requests with this key."},
    500: {"model": Error, "description": "The model or the server is broken; its operator must mend it."},
    503: {"model": Error, "description": "Not now; send the request again."},
}


def reply_of(model: type[BaseModel], *, many: bool = False, other: dict[str, Any] | None = None) -> Responses:
    """The description of a good reply.

    Args:
        model: its form as JSON.
        many: whether an array of these is possible too.
        other: further media types, with their descriptions.
    """
    kind: Any = model | list[model] if many else model  # pyright: ignore[reportInvalidTypeForm]
    return {200: {"model": kind, "content": other or {}}}


WITH_KEY: list[dict[str, list[str]]] = [{"bearer": []}, {"query": []}, {"basic": []}]
KEY_OPTIONAL: dict[str, Any] = {"security": [{}, *WITH_KEY]}
NO_KEY_NEEDED: dict[str, Any] = {"security": []}


def describe_api(app: FastAPI) -> dict[str, Any]:
    """The whole description, with the places where a key may be sent. Made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema["components"]["securitySchemes"] = {
            "query": {"type": "apiKey", "in": "query", "name": "api_key"},
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic"},
        }
        schema["security"] = WITH_KEY
        app.openapi_schema = schema
    return app.openapi_schema
