"""Annotations of pictures, one by one."""

from functools import partial
from typing import Annotated, Any, cast

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from atrous.core.errors import InvalidDatasetError, InvalidInputError
from atrous.datasets.annotation_text import AnnotationText
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.service import service_of
from atrous.server.workspace_paths import Id, ProjectRoute, ProjectSlug, WorkspaceSlug
from atrous.workspace.annotations import annotate
from atrous.workspace.picture_marks import tidy_name
from atrous.workspace.records import Scope

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)
of_projects = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)

MAX_CLASS_INDEX = 65_000
MAX_LABEL_LENGTH = 256

Text = Annotated[str, Field(max_length=1000)]


class AnnotationQuery(BaseModel):
    """`name` is the file's name, whose suffix tells the format where the text does not.

    `prediction` says that a model made it; such a label never replaces another, is tagged `prediction`, and a person's
    label takes its place. `jobName` is accepted and not used.
    """

    model_config = ConfigDict(extra="ignore")

    name: Text = "annotation.json"
    jobName: Text | None = None
    prediction: bool = False
    overwrite: bool = False


class AnnotationReply(BaseModel):
    """The label is kept."""

    success: bool


class AnnotationBody(BaseModel):
    """The text of an annotation file; `labelmap` gives the names of YOLO's numbers."""

    annotationFile: str
    labelmap: dict[str, str] | None = None


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": AnnotationBody.model_json_schema()},
            "text/plain": {"schema": {"type": "string", "description": "The annotation file itself."}},
        },
    }
}


@router.post("/dataset/{project}/annotate/{picture}", openapi_extra=BODY, responses=reply_of(AnnotationReply))
async def annotate_picture(
    request: Request, project: ProjectSlug, picture: Id, query: Annotated[AnnotationQuery, Query()]
) -> dict[str, Any]:
    """Label a picture with outlines: COCO JSON, YOLO segmentation, labelme, Supervisely or Label Studio.

    Boxes are refused, as they do not say which pixels are the objects'. Another label than the one that is there is
    answered with 409, unless `overwrite` is set; the same one again is fine.
    """
    return await _annotate(request, await admit(request, scope=Scope.MANAGE), project, picture, query)


@of_projects.post("/{workspace}/{project}/annotate/{picture}", openapi_extra=BODY, responses=reply_of(AnnotationReply))
async def annotate_picture_of_project(
    request: Request,
    workspace: WorkspaceSlug,
    project: ProjectSlug,
    picture: Id,
    query: Annotated[AnnotationQuery, Query()],
) -> dict[str, Any]:
    """The same as `/dataset/{project}/annotate/{picture}`, under the workspace's name."""
    return await _annotate(request, await admit(request, workspace, scope=Scope.MANAGE), project, picture, query)


async def _annotate(
    request: Request, caller: Caller, project: str, picture: str, query: AnnotationQuery
) -> dict[str, Any]:
    annotation = _read(tidy_name(query.name), await request.body())
    work = partial(
        annotate,
        caller.ports,
        caller.workspace,
        project,
        picture,
        annotation,
        overwrite=query.overwrite,
        is_prediction=query.prediction,
    )
    await service_of(request).slots.run(work)
    return {"success": True}


def _read(name: str, body: bytes) -> AnnotationText:
    """The file, whether it is wrapped in JSON or the body itself."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDatasetError(
            f"{name}: is not UTF-8 text; send outlines as text and masks in a zip (POST /WORKSPACE/PROJECT/upload/zip)"
        ) from error
    wrapped = _unwrap(text)
    if wrapped is None:
        return AnnotationText(name, text)
    file = wrapped["annotationFile"]
    if not isinstance(file, str):
        raise InvalidInputError("annotationFile: is no text; send the text of the annotation file there")
    return AnnotationText(name, file, labelmap=_read_labelmap(wrapped.get("labelmap")))


def _unwrap(text: str) -> dict[str, Any] | None:
    try:
        content: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    is_wrapped = isinstance(content, dict) and "annotationFile" in content
    return cast("dict[str, Any]", content) if is_wrapped else None


def _read_labelmap(labelmap: Any) -> dict[int, str]:
    if labelmap is None:
        return {}
    if not isinstance(labelmap, dict):
        raise InvalidInputError('labelmap: is no JSON object; send one such as {"0": "road"}')
    return dict(_read_label(key, name) for key, name in cast("dict[str, Any]", labelmap).items())


def _read_label(key: str, name: Any) -> tuple[int, str]:
    is_index = key.isascii() and key.isdigit() and len(key) <= len(str(MAX_CLASS_INDEX))
    if not is_index or int(key) > MAX_CLASS_INDEX:
        raise InvalidInputError(f"labelmap: {key[:50]!r} is no class index from 0 to {MAX_CLASS_INDEX}")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_LABEL_LENGTH:
        raise InvalidInputError(f"labelmap: the name of {key} is no text of 1 to {MAX_LABEL_LENGTH} characters")
    return int(key), name
