"""Models of a project, and one by its slug."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.ids import ModelSlugId
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.shapes.trainings import shape_model
from atrous.server.workspace_paths import ModelSlug, ProjectRoute, ProjectSlug, WorkspaceSlug
from atrous.workspace.models import find_model
from atrous.workspace.records import Model, Scope
from atrous.workspace.trainings import find_training
from atrous.workspace.versions import find_project

router = APIRouter(tags=["models"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)
of_projects = APIRouter(tags=["models"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)


class ModelRow(BaseModel):
    """A model of a project.

    `url` is its slug; `group` the training that made it; `recommended` is the one of the best `metrics.mIoU` of those
    asked for; `created` is in seconds since 1970.
    """

    model_config = ConfigDict(protected_namespaces=())

    url: str
    modelId: str
    modelType: str
    metrics: dict[str, Any]
    group: str
    versionId: str
    created: float
    recommended: bool


@of_projects.get("/{workspace}/{project}/models", responses={200: {"model": list[ModelRow]}})
async def list_models(
    request: Request,
    workspace: WorkspaceSlug,
    project: ProjectSlug,
    group: Annotated[str | None, Query(max_length=64)] = None,
) -> list[dict[str, Any]]:
    """The models of a project, oldest first; those of one training if `group` names it."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_list_rows, caller, project, group)


@router.get("/models/{workspace}/{slug}", responses={200: {"model": ModelRow}})
async def get_model(request: Request, workspace: WorkspaceSlug, slug: ModelSlug) -> dict[str, Any]:
    """One model."""
    caller = await admit(request, workspace, scope=Scope.INFER)
    return await run_in_threadpool(_get_row, caller, slug)


def _list_rows(caller: Caller, project: str, group: str | None) -> list[dict[str, Any]]:
    found = find_project(caller.ports, caller.workspace, project)
    models = [model for model in caller.ports.store.list_models(caller.workspace) if model.project == found.slug]
    wanted = [model for model in models if group in {None, "", model.training}]
    best = max(wanted, key=_score, default=None)
    return [_shape_row(caller, model, recommended=model == best) for model in wanted]


def _get_row(caller: Caller, slug: str) -> dict[str, Any]:
    model = find_model(caller.ports, caller.workspace, str(ModelSlugId(caller.workspace, slug)))
    return _shape_row(caller, model, recommended=True)


def _score(model: Model) -> float:
    return model.metrics.get("miou") or 0.0


def _shape_row(caller: Caller, model: Model, *, recommended: bool) -> dict[str, Any]:
    training = find_training(caller.ports, caller.workspace, model.training)
    return {
        "url": model.slug,
        **shape_model(training, model),
        "group": model.training,
        "versionId": f"{model.workspace}/{model.project}/{model.version}",
        "created": model.created.timestamp(),
        "recommended": recommended,
    }
