"""Whose key it is, and what there is in its workspace."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.datasets.splits import Split
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, admit
from atrous.server.shapes.projects import ProjectShape, WorkspaceShape, shape_project, shape_workspace
from atrous.server.workspace_paths import WorkspaceRoute, WorkspaceSlug
from atrous.workspace.projects import ProjectFacts, list_facts
from atrous.workspace.records import Scope

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=WorkspaceRoute)


class WorkspaceWithProjects(WorkspaceShape):
    """A workspace and all of its projects."""

    projects: list[ProjectShape]


class WorkspaceReply(BaseModel):
    """A workspace."""

    workspace: WorkspaceWithProjects


class UsageReply(BaseModel):
    """What there is; nothing of it is charged."""

    usage: dict[str, Any]


class StatsReply(BaseModel):
    """How far labelling is, project by project."""

    stats: dict[str, Any]


@router.get("/{workspace}", responses=reply_of(WorkspaceReply))
async def show_workspace(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """The workspace with all of its projects."""
    caller = await admit(request, workspace)
    facts = await run_in_threadpool(list_facts, caller.ports, caller.workspace)
    return {"workspace": shape_workspace(caller.workspace) | {"projects": [shape_project(one) for one in facts]}}


@router.post("/{workspace}/billing-usage-report", responses=reply_of(UsageReply))
async def show_usage(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """How much there is in the workspace."""
    caller = await admit(request, workspace)
    facts = await run_in_threadpool(list_facts, caller.ports, caller.workspace)
    models = await run_in_threadpool(caller.ports.store.list_models, caller.workspace)
    usage = {
        "projects": len(facts),
        "images": sum(one.counts.total for one in facts),
        "versions": sum(one.versions for one in facts),
        "models": len(models),
        "credits": 0,
    }
    return {"usage": usage}


@router.get("/{workspace}/stats", responses=reply_of(StatsReply))
async def show_stats(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """How many pictures of each project are labelled, as of now; dates in the query are not looked at."""
    caller = await admit(request, workspace, scope=Scope.READ)
    facts = await run_in_threadpool(list_facts, caller.ports, caller.workspace)
    return {"stats": {one.project.slug: _count(one) for one in facts}}


def _count(facts: ProjectFacts) -> dict[str, Any]:
    counts = facts.counts
    splits = {split.value: counts.splits.get(split, 0) for split in Split}
    return {"images": counts.total, "annotated": counts.total - counts.unlabelled, "splits": splits}
