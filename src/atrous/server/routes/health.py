"""A project's health."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, admit
from atrous.server.workspace_paths import ProjectRoute, ProjectSlug, WorkspaceSlug
from atrous.workspace.health import ClassShare, ProjectHealth, check_health
from atrous.workspace.versions import find_project

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)


class ClassHealth(BaseModel):
    """A class: `count` pictures show it, `percent` of the labelled ones."""

    name: str
    cls: str
    count: int
    percent: float
    description: str


class HealthStats(BaseModel):
    """Figures under the names of Roboflow's two documents; sizes are `[width, height]` in pixels.

    An annotation is a class that a label shows; `nullAnnotations` and `empty` are labels of background alone.
    """

    numImages: int
    numAnnotations: int
    avgImageSize: list[float]
    medianImageRatio: float
    missingAnnotations: int
    nullAnnotations: int
    classDistribution: dict[str, int]
    images: int
    annotated: int
    unannotated: int
    empty: int
    labels: int
    average: float
    singleClass: bool
    multiClass: bool
    numClasses: int
    classes: list[ClassHealth]


class HealthReply(BaseModel):
    """A project's health, counted anew each time; `generated` is in seconds since 1970."""

    health: bool
    generated: float
    version: int
    stats: HealthStats


@router.get("/{workspace}/{project}/health", responses=reply_of(HealthReply))
async def show_health(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """How many pictures, labels and classes there are, and what is missing."""
    caller = await admit(request, workspace)
    health = await run_in_threadpool(_check, caller, project)
    return {"health": True, "generated": health.made.timestamp(), "version": 1, "stats": _shape_stats(health)}


def _check(caller: Caller, slug: str) -> ProjectHealth:
    return check_health(caller.ports, find_project(caller.ports, caller.workspace, slug))


def _shape_stats(health: ProjectHealth) -> dict[str, Any]:
    shown = {one.name: one.pictures for one in health.classes}
    annotations = sum(shown.values())
    return {
        "numImages": health.counts.total,
        "numAnnotations": annotations,
        "avgImageSize": [round(health.sizes.mean_width, 1), round(health.sizes.mean_height, 1)],
        "medianImageRatio": round(health.sizes.median_ratio, 4),
        "missingAnnotations": health.counts.unlabelled,
        "nullAnnotations": health.empty,
        "classDistribution": shown,
        "images": health.counts.total,
        "annotated": health.labelled,
        "unannotated": health.counts.unlabelled,
        "empty": health.empty,
        "labels": annotations,
        "average": round(annotations / health.labelled, 3) if health.labelled else 0.0,
        "singleClass": len(health.classes) == 1,
        "multiClass": len(health.classes) > 1,
        "numClasses": len(health.classes),
        "classes": [_shape_class(one) for one in health.classes],
    }


def _shape_class(share: ClassShare) -> dict[str, Any]:
    return {
        "name": share.name,
        "cls": share.name,
        "count": share.pictures,
        "percent": round(100 * share.share, 2),
        "description": "under represented" if share.is_rare else "",
    }
