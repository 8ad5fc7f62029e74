"""Upload of pictures, one by one."""

from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from atrous.core.errors import InvalidImageError, InvalidInputError
from atrous.server.images import read_body
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.service import Service, service_of
from atrous.server.upload_words import read_split
from atrous.server.workspace_paths import ProjectRoute, ProjectSlug, WorkspaceSlug
from atrous.workspace.records import Scope
from atrous.workspace.uploads import DEFAULT_BATCH, Upload, Uploaded, upload_picture

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)
of_projects = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)

FORM = "multipart/form-data"
MAX_METADATA_BYTES = 100_000
MAX_URL_LENGTH = 2048

Text = Annotated[str, Field(max_length=1000)]


class UploadQuery(BaseModel):
    """What the query says of a picture; a form may say name, split and metadata as well, and the form counts.

    `image` is the picture's URL, where nothing is sent. `metadata` is a JSON object of texts, numbers and truth values.
    The position in a video, `sequence_number` and `sequence_size`, is kept as metadata.
    """

    model_config = ConfigDict(extra="ignore")

    name: Text | None = None
    split: Annotated[str, Field(max_length=50)] | None = None
    batch: Text | None = None
    tag: Annotated[list[Text], Field(max_length=100)] = Field(default_factory=list[str])
    metadata: Annotated[str, Field(max_length=MAX_METADATA_BYTES)] | None = None
    image: Annotated[str, Field(max_length=MAX_URL_LENGTH)] | None = None
    sequence_number: Annotated[int, Field(ge=0, le=10**9)] | None = None
    sequence_size: Annotated[int, Field(ge=0, le=10**9)] | None = None


class UploadReply(BaseModel):
    """The picture's id; either of the two words says whether it is new, or was there already."""

    id: str
    success: bool | None = None
    duplicate: bool | None = None


BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 1000},
                        "split": {"type": "string", "enum": ["train", "valid", "val", "test"]},
                        "metadata": {"type": "string", "description": "A JSON object."},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            },
            "application/x-www-form-urlencoded": {"schema": {"type": "string", "description": "Base64 of a picture."}},
        },
    }
}


@router.post("/dataset/{project}/upload", openapi_extra=BODY, responses=reply_of(UploadReply))
async def upload(request: Request, project: ProjectSlug, query: Annotated[UploadQuery, Query()]) -> dict[str, Any]:
    """Add a picture to a project of the key's workspace; one that is there keeps its split and gets the tags too.

    A PNG named NAME_mask.png, grey or with a palette, is not a picture, but the label of the picture NAME of the same
    batch, whichever comes first: its values are ids of the project's classes, 255 is void, and a value without a class
    makes one named `class-<value>`.
    """
    return await _upload(request, await admit(request, scope=Scope.MANAGE), project, query)


@of_projects.post("/{workspace}/{project}/upload", openapi_extra=BODY, responses=reply_of(UploadReply))
async def upload_to_project(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, query: Annotated[UploadQuery, Query()]
) -> dict[str, Any]:
    """The same as `/dataset/{project}/upload`, under the workspace's name."""
    return await _upload(request, await admit(request, workspace, scope=Scope.MANAGE), project, query)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A picture's bytes, and what came with them."""

    data: bytes
    file_name: str = ""
    name: str | None = None
    split: str | None = None
    metadata: str | None = None


async def _upload(request: Request, caller: Caller, project: str, query: UploadQuery) -> dict[str, Any]:
    service = service_of(request)
    sent = await _read(request, service, query)
    upload = Upload(
        name=sent.name or query.name or sent.file_name,
        data=sent.data,
        split=read_split(sent.split or query.split or "train"),
        batch=query.batch or DEFAULT_BATCH,
        tags=tuple(query.tag),
        metadata=_read_metadata(sent.metadata or query.metadata) | _read_sequence(query),
    )
    done = await service.slots.run(partial(upload_picture, caller.ports, caller.workspace, project, upload))
    return _answer(done)


def _answer(done: Uploaded) -> dict[str, Any]:
    return {"duplicate": True, "id": done.id} if done.is_duplicate else {"success": True, "id": done.id}


async def _read(request: Request, service: Service, query: UploadQuery) -> _Sent:
    if request.headers.get("content-type", "").lower().startswith(FORM):
        return await _read_form(request)
    body = await request.body()
    if body:
        return _Sent(read_body(body))
    if query.image is None:
        raise InvalidImageError("no picture was sent; send a form with the part `file`, or its address as image=URL")
    return await _fetch(service, query.image)


async def _read_form(request: Request) -> _Sent:
    try:
        async with request.form(max_files=4, max_fields=20, max_part_size=MAX_METADATA_BYTES) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise InvalidImageError("the form has no part `file` that is a file; send the picture there")
            texts = {name: value for name in ("name", "split", "metadata") if isinstance(value := form.get(name), str)}
            return _Sent(await file.read(), file.filename or "", **texts)
    except HTTPException as error:
        raise InvalidInputError(f"the form cannot be read ({error.detail}); send it again") from error


async def _fetch(service: Service, url: str) -> _Sent:
    pictures = service.url_pictures
    try:
        data = await pictures.fetch(url, pictures.start())
    except InvalidImageError as error:
        reason = str(error).removeprefix("Could not load input image. Cause: ")
        raise InvalidImageError(f"Could not fetch image URL: {reason}") from error
    return _Sent(data, PurePosixPath(urlsplit(url).path).name)


def _read_metadata(text: str | None) -> dict[str, Any]:
    if text is None or not text.strip():
        return {}
    try:
        content: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f'metadata: is not JSON ({error}); send an object such as {{"camera": 1}}') from error
    if not isinstance(content, dict):
        raise InvalidInputError('metadata: is no JSON object; send one such as {"camera": 1}')
    return cast("dict[str, Any]", content)


def _read_sequence(query: UploadQuery) -> dict[str, Any]:
    said = {"sequence_number": query.sequence_number, "sequence_size": query.sequence_size}
    return {name: value for name, value in said.items() if value is not None}
