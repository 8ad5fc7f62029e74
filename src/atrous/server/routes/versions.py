"""Versions: asked for, and shown while and after they are made."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.ids import VersionId
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, admit
from atrous.server.shapes.projects import WorkspaceShape, shape_workspace
from atrous.server.shapes.versions import VersionShape, shape_version
from atrous.server.workspace_paths import ProjectRoute, ProjectSlug, VersionNumber, VersionRoute, WorkspaceSlug
from atrous.workspace.projects import find_version_facts
from atrous.workspace.records import Scope
from atrous.workspace.versions import find_version, request_version

generating = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)
showing = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=VersionRoute)


class VersionSettings(BaseModel):
    """The steps of a version, by the names that Roboflow gives them; `name` and `notes` of another one are ignored."""

    # Told as it is; the rules name a wrong key and those there are.
    model_config = ConfigDict(extra="allow", populate_by_name=True, json_schema_extra={"additionalProperties": False})

    preprocessing: dict[str, Any] = Field(default_factory=dict[str, Any])
    augmentation: dict[str, Any] = Field(default_factory=dict[str, Any])
    version_name: Annotated[str | None, Field(alias="versionName", max_length=256)] = None
    name: Any = None
    notes: Any = None


class GenerateReply(BaseModel):
    """The number of the version that is being made."""

    message: str
    version: str


class VersionReply(BaseModel):
    """A version."""

    workspace: WorkspaceShape
    version: VersionShape


@generating.post(
    "/{workspace}/{project}/generate", openapi_extra=describe_json(VersionSettings), responses=reply_of(GenerateReply)
)
async def generate_version(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """Freeze the project's pictures as its next version; a worker makes it, `progress` tells how far it is."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(VersionSettings, await request.body())
    settings = asked.model_dump(exclude={"version_name", "name", "notes"})
    name = asked.version_name or ""
    made = await run_in_threadpool(request_version, caller.ports, caller.workspace, project, settings, name=name)
    return {"message": f"version {made.id} is being made", "version": str(made.number)}


@showing.get("/{workspace}/{project}/{version}", responses=reply_of(VersionReply))
async def show_version(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """The version, how far it is, and what was trained on it."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_show, caller, VersionId(project, version))


def _show(caller: Caller, version_id: VersionId) -> dict[str, Any]:
    version = find_version(caller.ports, caller.workspace, version_id)
    shape = shape_version(find_version_facts(caller.ports, version))
    return {"workspace": shape_workspace(caller.workspace), "version": shape}
