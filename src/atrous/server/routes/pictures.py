"""Single pictures: shown, their files sent, taken out of projects."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.errors import NotFoundError
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import Responses, reply_of
from atrous.server.picture_files import find_media_type, make_thumbnail
from atrous.server.platform import OTHER_METHODS, PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.sent_files import SentFile, describe_file
from atrous.server.service import service_of
from atrous.server.shapes.pictures import FILE, LABEL, LINK_KIND, THUMBNAIL, PictureShape, shape_picture
from atrous.server.signed_links import check
from atrous.server.workspace_paths import Id, ProjectRoute, ProjectSlug, WorkspaceRoute, WorkspaceSlug
from atrous.workspace.pictures import find_picture, remove_pictures
from atrous.workspace.ports import Ports
from atrous.workspace.records import Picture, Scope

files = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)
router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)
of_workspaces = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=WorkspaceRoute)

MAX_IDS = 10_000
NO_CONTENT = 204
# A picture's file never changes under its id, but its label may; browsers of one person may keep both for a while.
KEPT = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
CHANGING = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
SKIPPED = "pictures live in projects here and none is without; `DELETE /WORKSPACE/PROJECT/images` takes them out of one"


class PictureReply(BaseModel):
    """A picture."""

    image: PictureShape


class PictureIds(BaseModel):
    """Ids of pictures."""

    model_config = ConfigDict(extra="ignore")

    images: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=MAX_IDS)]


class DeletedCounts(BaseModel):
    """How many pictures were deleted and how many were not, each under two names."""

    deletedSources: int
    skippedSources: int
    deleted: int
    skipped: int
    message: str


THUMBNAIL_REPLY: Responses = {
    200: {
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        "description": "At most 320 pixels a side.",
    }
}


@files.get(
    "/platform/images/{picture_id}/file", responses=describe_file("image/*", "The file."), response_class=SentFile
)
async def send_file(request: Request, picture_id: Id, link: str | None = None) -> Response:
    """The file of a picture as it was uploaded, for a key, or for the `link` that search and pictures tell."""
    ports, picture = await _find(request, picture_id, FILE, link)
    return await run_in_threadpool(_send_file, ports, picture)


@files.get(
    "/platform/images/{picture_id}/label",
    responses=describe_file("image/png", "An 8-bit grey PNG: class ids, 255 for void."),
    response_class=SentFile,
)
async def send_label(request: Request, picture_id: Id, link: str | None = None) -> Response:
    """The label of a picture, of the size that it has after EXIF rotation."""
    ports, picture = await _find(request, picture_id, LABEL, link)
    return await run_in_threadpool(_send_label, ports, picture)


@files.get(
    "/platform/images/{picture_id}/thumbnail",
    responses=THUMBNAIL_REPLY,
    response_class=Response,
)
async def send_thumbnail(request: Request, picture_id: Id, link: str | None = None) -> Response:
    """A small JPEG of a picture."""
    ports, picture = await _find(request, picture_id, THUMBNAIL, link)
    data = await run_in_threadpool(ports.blobs.get, picture.image_sha256)
    return Response(await run_in_threadpool(make_thumbnail, data), media_type="image/jpeg", headers=KEPT)


@router.get("/{workspace}/{project}/images/{picture_id}", responses=reply_of(PictureReply))
async def show_picture(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, picture_id: Id
) -> dict[str, Any]:
    """What is known of a picture, and links to its files."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_show, request, caller, project, picture_id)


@router.delete(
    "/{workspace}/{project}/images",
    status_code=NO_CONTENT,
    response_class=Response,
    openapi_extra=describe_json(PictureIds),
    responses={NO_CONTENT: {"description": "They are gone."}},
)
async def delete_pictures(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> Response:
    """Take pictures out of a project for good; versions keep them. Ids that are not there are passed over."""
    caller = await admit(request, workspace, scope=Scope.ADMIN)
    asked = parse_json(PictureIds, await request.body())
    await run_in_threadpool(remove_pictures, caller.ports, caller.workspace, project, asked.images)
    return Response(status_code=NO_CONTENT)


@of_workspaces.delete(
    "/{workspace}/images",
    openapi_extra=describe_json(PictureIds),
    responses=reply_of(DeletedCounts) | OTHER_METHODS,
)
async def delete_orphans(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """Delete pictures that are in no project: there are none here, so all are skipped."""
    await admit(request, workspace, scope=Scope.ADMIN)
    count = len(parse_json(PictureIds, await request.body()).images)
    return {"deletedSources": 0, "skippedSources": count, "deleted": 0, "skipped": count, "message": SKIPPED}


async def _find(request: Request, picture_id: str, kind: str, link: str | None) -> tuple[Ports, Picture]:
    if link is None:
        caller = await admit(request)
        ports, workspace = caller.ports, caller.workspace
    else:
        ports = service_of(request).ports
        workspace = await run_in_threadpool(_open_link, ports, link, picture_id, kind)
    _, picture = await run_in_threadpool(find_picture, ports, workspace, picture_id)
    return ports, picture


def _open_link(ports: Ports, link: str, picture_id: str, kind: str) -> str:
    workspace, _, place = check(ports, LINK_KIND, link).partition("/")
    if place != f"{picture_id}/{kind}":
        raise NotFoundError("this link is of another file; ask for a new one")
    return workspace


def _send_file(ports: Ports, picture: Picture) -> Response:
    path = ports.blobs.path(picture.image_sha256)
    return SentFile(path, media_type=find_media_type(path), headers=KEPT, stat_result=path.stat())


def _send_label(ports: Ports, picture: Picture) -> Response:
    if picture.mask_sha256 is None:
        raise NotFoundError(f"picture {picture.id!r}: has no label yet; annotate it first")
    path = ports.blobs.path(picture.mask_sha256)
    return SentFile(path, media_type="image/png", headers=CHANGING, stat_result=path.stat())


def _show(request: Request, caller: Caller, slug: str, picture_id: str) -> dict[str, Any]:
    project, picture = find_picture(caller.ports, caller.workspace, picture_id, slug)
    return {"image": shape_picture(request, caller.ports, project, picture)}
