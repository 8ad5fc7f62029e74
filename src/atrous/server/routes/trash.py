"""The trash: what was deleted, and the way back."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import InvalidInputError
from atrous.core.ids import VersionId
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import FLAT_ERRORS, OTHER_METHODS, Caller, FlatError, FlatErrorRoute, PlatformError, admit
from atrous.server.workspace_paths import (
    MAX_DIGITS,
    FlatProjectRoute,
    FlatVersionRoute,
    ProjectSlug,
    VersionNumber,
    WorkspaceSlug,
)
from atrous.workspace.records import Scope
from atrous.workspace.trash import (
    TrashItem,
    TrashKind,
    delete_project,
    delete_version,
    list_trash,
    restore_project,
    restore_training_of,
    restore_version,
)

router = APIRouter(tags=["platform"], responses=FLAT_ERRORS, route_class=FlatErrorRoute)
# What cannot be a project or version is told by whoever takes such paths.
ERRORS = FLAT_ERRORS | OTHER_METHODS | {404: {**FLAT_ERRORS[404], "model": FlatError | PlatformError}}
of_projects = APIRouter(tags=["platform"], responses=ERRORS, route_class=FlatProjectRoute)
of_versions = APIRouter(tags=["platform"], responses=ERRORS, route_class=FlatVersionRoute)

Name = Annotated[str, Field(max_length=130, pattern=r"^[A-Za-z0-9_/-]+$")]


class TrashWord(StrEnum):
    """Clients call a project a dataset too."""

    PROJECT = "project"
    DATASET = "dataset"
    VERSION = "version"
    TRAINING = "training"


class RestoreRequest(BaseModel):
    """Something in the trash, by its `id` there; a version needs its project's slug as `parentId`."""

    model_config = ConfigDict(extra="ignore")

    type: TrashWord
    id: Name | VersionNumber
    parentId: Name | None = None


class TrashEntry(BaseModel):
    """Something in the trash, until `scheduledCleanupAt`; times are as in ISO 8601."""

    type: str
    id: str
    url: str
    name: str
    parentId: str | None
    parentUrl: str | None
    parentName: str | None
    deletedAt: str
    scheduledCleanupAt: str


class TrashSections(BaseModel):
    """The same by kind; there are no workflows here."""

    projects: list[TrashEntry]
    versions: list[TrashEntry]
    trainings: list[TrashEntry]
    workflows: list[TrashEntry]


class TrashReply(BaseModel):
    """What is in the trash, the last deleted first."""

    items: list[TrashEntry]
    sections: TrashSections


class DeletedReply(BaseModel):
    """It is in the trash now."""

    deleted: bool
    type: str
    trash: bool
    workspace: str
    project: str
    projectId: str
    version: str | None = None


class RestoredReply(BaseModel):
    """It is back. Of a training, what became of `project/version`."""

    restored: bool
    type: str
    id: str
    versionAliasAction: str | None = None
    versionAliasTarget: str | None = None


@router.get("/{workspace}/trash", responses=reply_of(TrashReply))
async def show_trash(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """What was deleted in the last 30 days."""
    caller = await admit(request, workspace)
    items = [_shape(item) for item in await run_in_threadpool(list_trash, caller.ports, caller.workspace)]
    sections = {f"{kind}s": [item for item in items if item["type"] == kind] for kind in TrashKind}
    return {"items": items, "sections": sections | {"workflows": []}}


@router.post(
    "/{workspace}/trash/restore", openapi_extra=describe_json(RestoreRequest), responses=reply_of(RestoredReply)
)
async def restore(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """Take something back out of the trash."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(RestoreRequest, await request.body())
    return await run_in_threadpool(_restore, caller, asked)


@of_projects.delete("/{workspace}/{project}", responses=reply_of(DeletedReply))
async def remove_project(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """Put a project in the trash with all that is in it; its trainings in flight are cancelled."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    await run_in_threadpool(delete_project, caller.ports, caller.workspace, project)
    return _say_deleted(caller, "project", project)


@of_versions.delete("/{workspace}/{project}/{version}", responses=reply_of(DeletedReply))
async def remove_version(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """Put a version in the trash with its models; its trainings in flight are cancelled."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    await run_in_threadpool(delete_version, caller.ports, caller.workspace, VersionId(project, version))
    return _say_deleted(caller, "version", project) | {"version": str(version)}


def _restore(caller: Caller, asked: RestoreRequest) -> dict[str, Any]:
    content: dict[str, Any] = {"restored": True, "type": asked.type.value, "id": str(asked.id)}
    ports, workspace, name = caller.ports, caller.workspace, str(asked.id)
    match asked.type:
        case TrashWord.PROJECT | TrashWord.DATASET:
            restore_project(ports, workspace, name)
        case TrashWord.VERSION:
            restore_version(ports, workspace, _read_version_id(asked))
        case TrashWord.TRAINING:
            _, alias = restore_training_of(ports, workspace, name)
            content |= {"versionAliasAction": alias.action, "versionAliasTarget": alias.target}
    return content


def _read_version_id(asked: RestoreRequest) -> VersionId:
    number = str(asked.id)
    if not asked.parentId or not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
        raise InvalidInputError("a version is restored by its number as `id` and its project's slug as `parentId`")
    return VersionId(asked.parentId.rsplit("/", maxsplit=1)[-1], int(number))


def _say_deleted(caller: Caller, kind: str, project: str) -> dict[str, Any]:
    return {
        "deleted": True,
        "type": kind,
        "trash": True,
        "workspace": caller.workspace,
        "project": project,
        "projectId": project,
    }


def _shape(item: TrashItem) -> dict[str, Any]:
    has_parent = item.kind is not TrashKind.PROJECT
    return {
        "type": item.kind.value,
        "id": item.id,
        "url": item.id,
        "name": item.name,
        "parentId": item.project if has_parent else None,
        "parentUrl": item.project if has_parent else None,
        "parentName": item.parent if has_parent else None,
        "deletedAt": item.deleted.isoformat(),
        "scheduledCleanupAt": item.cleanup.isoformat(),
    }
