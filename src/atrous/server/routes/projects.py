"""Projects: made, and shown with their versions."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import InvalidInputError
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, admit
from atrous.server.shapes.projects import ProjectShape, WorkspaceShape, shape_project, shape_workspace
from atrous.server.shapes.versions import VersionShape, shape_version
from atrous.server.workspace_paths import ProjectRoute, ProjectSlug, WorkspaceRoute, WorkspaceSlug
from atrous.workspace.projects import PROJECT_TYPE, create_project, find_facts, list_version_facts
from atrous.workspace.records import Scope
from atrous.workspace.versions import find_project

making = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=WorkspaceRoute)
showing = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)

Text = Annotated[str, Field(max_length=1000)]


class NewProject(BaseModel):
    """A project to be made; `annotation` is what its objects are called as a whole, its name if not given."""

    model_config = ConfigDict(extra="ignore")

    name: Text
    type: Text = PROJECT_TYPE
    license: Text | None = None
    annotation: Text | None = None


class ProjectReply(BaseModel):
    """A project and its versions."""

    workspace: WorkspaceShape
    project: ProjectShape
    versions: list[VersionShape]


@making.post("/{workspace}/projects", openapi_extra=describe_json(NewProject), responses=reply_of(ProjectShape))
async def make_project(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """Make an empty project.

    Its slug is its name in lower case with dashes, and with `-2` and so on where that is taken.
    """
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(NewProject, await request.body())
    if asked.type != PROJECT_TYPE:
        raise InvalidInputError(
            f"project type {asked.type[:50]!r}: this server keeps {PROJECT_TYPE} alone; make the project first "
            f"(`roboflow project create NAME --type {PROJECT_TYPE}`), then import into it"
        )
    return await run_in_threadpool(_make, caller, asked)


@showing.get("/{workspace}/{project}", responses=reply_of(ProjectReply))
async def show_project(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """The project and its versions."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_show, caller, project)


def _make(caller: Caller, asked: NewProject) -> dict[str, Any]:
    project = create_project(
        caller.ports,
        caller.workspace,
        asked.name,
        annotation=asked.annotation or "",
        license_name=asked.license or "",
    )
    return shape_project(find_facts(caller.ports, project))


def _show(caller: Caller, slug: str) -> dict[str, Any]:
    project = find_project(caller.ports, caller.workspace, slug)
    return {
        "workspace": shape_workspace(caller.workspace),
        "project": shape_project(find_facts(caller.ports, project)),
        "versions": [shape_version(facts) for facts in list_version_facts(caller.ports, project)],
    }
