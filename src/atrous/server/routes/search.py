"""Search for pictures, in a workspace by RoboQL and in a project by fields."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import InvalidInputError
from atrous.server.continuation import MAX_TOKEN_LENGTH, read_token, write_token
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, admit
from atrous.server.shapes.pictures import select_fields
from atrous.server.workspace_paths import ProjectRoute, ProjectSlug, WorkspaceRoute, WorkspaceSlug
from atrous.workspace import search
from atrous.workspace.batches import list_batches
from atrous.workspace.roboql import MAX_LENGTH, parse_query
from atrous.workspace.search import And, Condition, Expression, Not, Search, mark_picture
from atrous.workspace.versions import find_project

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=WorkspaceRoute)
of_projects = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)

MAX_PAGE = 1000
MAX_OFFSET = 2**31 - 1
MAX_FIELDS = 50
WORKSPACE_FIELDS = ("filename", "name", "project", "created", "split", "tags", "labels")
PROJECT_FIELDS = ("created", "name", "labels")

Text = Annotated[str, Field(max_length=512)]
Fields = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MAX_FIELDS)]


class MediaType(StrEnum):
    """Videos are asked for, and there are none."""

    IMAGE = "image"
    VIDEO = "video"


MediaTypes = Annotated[list[MediaType], Field(min_length=1, max_length=10)]


class WorkspaceSearch(BaseModel):
    """A query in RoboQL and a page of it; unknown `fields` are left out of the results."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[str, Field(max_length=MAX_LENGTH)] = ""
    pageSize: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    fields: Fields | None = None
    continuationToken: Annotated[str, Field(max_length=MAX_TOKEN_LENGTH)] | None = None
    mediaTypes: MediaTypes | None = None


class WorkspaceResults(BaseModel):
    """A page; `total` counts all pages, and the token is null on the last one."""

    results: list[dict[str, Any]]
    total: int
    continuationToken: str | None


class ProjectSearch(BaseModel):
    """What pictures must have; `in_dataset` tells those with a label from those without."""

    model_config = ConfigDict(extra="ignore")

    like_image: Text | None = None
    prompt: Text | None = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    tag: Text | None = None
    class_name: Text | None = None
    in_dataset: bool | None = None
    batch: bool | None = None
    batch_id: Text | None = None
    annotation_job: bool | None = None
    annotation_job_id: Text | None = None
    fields: Fields | None = None
    mediaTypes: MediaTypes | None = None


class ProjectResults(BaseModel):
    """A page, newest first; `total` counts all pages."""

    results: list[dict[str, Any]]
    offset: int
    total: int


@router.post(
    "/{workspace}/search/v1", openapi_extra=describe_json(WorkspaceSearch), responses=reply_of(WorkspaceResults)
)
async def search_workspace(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """A page of pictures; the token leads to the next one, which pictures that come meanwhile do not shift."""
    caller = await admit(request, workspace)
    asked = parse_json(WorkspaceSearch, await request.body())
    if _asks_for_no_image(asked.mediaTypes):
        return {"results": [], "total": 0, "continuationToken": None}
    return await run_in_threadpool(_search_workspace, request, caller, asked)


@of_projects.post(
    "/{workspace}/{project}/search", openapi_extra=describe_json(ProjectSearch), responses=reply_of(ProjectResults)
)
async def search_project(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """A page of a project's pictures."""
    caller = await admit(request, workspace)
    asked = parse_json(ProjectSearch, await request.body())
    return await run_in_threadpool(_search_project, request, caller, project, asked)


def _search_workspace(request: Request, caller: Caller, asked: WorkspaceSearch) -> dict[str, Any]:
    query = parse_query(asked.query)
    after = read_token(query, asked.continuationToken) if asked.continuationToken else None
    # One more than asked for, to know whether there is another page.
    wanted = Search(query.where, order=query.order, limit=asked.pageSize + 1, after=after)
    found, total = caller.ports.store.search_pictures(caller.workspace, wanted)
    page = found[: asked.pageSize]
    fields = WORKSPACE_FIELDS if asked.fields is None else asked.fields
    has_more = len(found) > len(page)
    return {
        "results": select_fields(request, caller.ports, page, fields),
        "total": total,
        "continuationToken": write_token(query, mark_picture(page[-1][1], query.order)) if has_more else None,
    }


def _search_project(request: Request, caller: Caller, slug: str, asked: ProjectSearch) -> dict[str, Any]:
    find_project(caller.ports, caller.workspace, slug)
    if asked.like_image is not None or asked.prompt is not None:
        raise InvalidInputError(
            "like_image and prompt need an embedding of each picture, which this server does not make; search by tag, "
            "class_name or batch_id"
        )
    if _asks_for_no_image(asked.mediaTypes):
        return {"results": [], "offset": asked.offset, "total": 0}
    batch = _find_batch_name(caller, slug, asked.batch_id)
    wanted = Search(_read_conditions(asked, batch), project=slug, offset=asked.offset, limit=asked.limit)
    found, total = caller.ports.store.search_pictures(caller.workspace, wanted)
    fields = PROJECT_FIELDS if asked.fields is None else asked.fields
    return {
        "results": select_fields(request, caller.ports, found, fields),
        "offset": asked.offset,
        "total": total,
    }


def _find_batch_name(caller: Caller, slug: str, batch_id: str | None) -> str | None:
    """Clients ask by the ids that `/batches` tells; people by names."""
    if batch_id is None:
        return None
    names = {batch.id: batch.counts.name for batch in list_batches(caller.ports, caller.workspace, slug)}
    return names.get(batch_id, batch_id)


def _read_conditions(asked: ProjectSearch, batch: str | None) -> Expression:
    parts: list[Expression] = [
        Condition(field, value)
        for field, value in (
            (search.Field.TAG, asked.tag),
            (search.Field.CLASS, asked.class_name),
            (search.Field.BATCH, batch),
            (search.Field.JOB, asked.annotation_job_id),
        )
        if value is not None
    ]
    if asked.in_dataset is not None:
        parts.append(Condition(search.Field.LABELLED, str(asked.in_dataset).lower()))
    if asked.annotation_job is not None:
        no_job = Condition(search.Field.JOB, "")
        parts.append(Not(no_job) if asked.annotation_job else no_job)
    # The client sends false where it means nothing.
    if asked.batch:
        parts.append(Not(Condition(search.Field.BATCH, "")))
    return And(tuple(parts))


def _asks_for_no_image(media_types: list[MediaType] | None) -> bool:
    return media_types is not None and MediaType.IMAGE not in media_types
