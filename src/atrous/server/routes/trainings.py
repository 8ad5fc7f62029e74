"""Trainings of a version, many at a time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.ids import VersionId
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, admit
from atrous.server.service import service_of
from atrous.server.shapes.trainings import (
    StartedShape,
    TrainingShape,
    WishShape,
    shape_started,
    shape_training,
    shape_wish,
)
from atrous.server.training_orders import TrainingOrder, place_order, plan_recipe
from atrous.server.workspace_paths import Id, ProjectSlug, VersionNumber, VersionRoute, WorkspaceSlug
from atrous.training.model_types import name_model_type
from atrous.training.template import describe_recipe, make_template
from atrous.workspace.records import Scope
from atrous.workspace.trainings import AliasChange, cancel_training, delete_training, stop_training
from atrous.workspace.version_trainings import find_open_training, find_version_training, list_version_trainings
from atrous.workspace.versions import find_version

router = APIRouter(tags=["trainings"], responses=PLATFORM_ERRORS, route_class=VersionRoute)

PATH = "/{workspace}/{project}/{version}/v2/trainings"
TrainingId = Annotated[str, Field(max_length=64)]


class TrainingsReply(BaseModel):
    """The trainings of a version, oldest first."""

    trainings: list[TrainingShape]


class RecipeReply(BaseModel):
    """What may be chosen, as JSON schema, and a recipe that may be sent back as `trainRecipe`."""

    model_config = ConfigDict(protected_namespaces=(), serialize_by_alias=True)

    modelType: str
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    template: dict[str, dict[str, Any]]


class WishBody(BaseModel):
    """Which training is meant; the one that is under way if not said."""

    model_config = ConfigDict(extra="ignore")

    trainingId: TrainingId | None = None


class DeletedReply(BaseModel):
    """The training is in the trash.

    `versionAliasAction` is there if `project/version` served its model: `repointed` to the model of the next training,
    `versionAliasTarget`, or `deleted`.
    """

    deleted: bool
    type: str
    trash: bool
    id: str
    versionAliasAction: str | None = None
    versionAliasTarget: str | None = None


@router.get(PATH, responses=reply_of(TrainingsReply))
async def list_trainings(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """All trainings of a version, oldest first."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_list_shapes, caller, VersionId(project, version))


@router.post(PATH, openapi_extra=describe_json(TrainingOrder, required=False), responses=reply_of(StartedShape))
async def create_training(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """Put a training into the queue of the workers; a version may have any number of them."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    order = parse_json(TrainingOrder, await request.body() or b"{}")
    weights = service_of(request).settings.train_encoder_weights
    version_id = VersionId(project, version)
    training = await run_in_threadpool(place_order, caller.ports, caller.workspace, version_id, order, weights)
    return shape_started(training)


@router.get(f"{PATH}/get", responses=reply_of(TrainingShape))
async def get_training(
    request: Request,
    workspace: WorkspaceSlug,
    project: ProjectSlug,
    version: VersionNumber,
    training_id: Annotated[str | None, Query(alias="trainingId", max_length=64)] = None,
) -> dict[str, Any]:
    """A training with its models; the only one of the version if none is named."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_get_shape, caller, VersionId(project, version), training_id)


@router.get(f"{PATH}/recipe", responses=reply_of(RecipeReply))
async def describe_training(
    request: Request,
    workspace: WorkspaceSlug,
    project: ProjectSlug,
    version: VersionNumber,
    model_type: Annotated[str | None, Query(alias="modelType", max_length=200)] = None,
) -> dict[str, Any]:
    """What may be chosen for a kind of model; the defaults are what would be derived from the version."""
    caller = await admit(request, workspace)
    found = await run_in_threadpool(find_version, caller.ports, caller.workspace, VersionId(project, version))
    order = TrainingOrder.model_validate({"modelType": model_type})
    weights = service_of(request).settings.train_encoder_weights
    recipe = (await run_in_threadpool(plan_recipe, caller.ports, found, order, weights)).recipe
    return {
        "modelType": name_model_type(recipe.as_json()),
        "schema": describe_recipe(recipe),
        "template": make_template(recipe),
    }


@router.post(f"{PATH}/cancel", openapi_extra=describe_json(WishBody, required=False), responses=reply_of(WishShape))
async def cancel(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """End a training at once; its weights are thrown away."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(WishBody, await request.body() or b"{}")
    return await run_in_threadpool(_cancel, caller, VersionId(project, version), asked.trainingId)


@router.post(f"{PATH}/stop", openapi_extra=describe_json(WishBody, required=False), responses=reply_of(WishShape))
async def stop(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """End a training after its current step; its best weights become a model."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(WishBody, await request.body() or b"{}")
    return await run_in_threadpool(_stop, caller, VersionId(project, version), asked.trainingId)


@router.delete(f"{PATH}/{{training}}", responses=reply_of(DeletedReply))
async def delete(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber, training: Id
) -> dict[str, Any]:
    """Move a training that is over to the trash, its models with it."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    return await run_in_threadpool(_delete, caller, VersionId(project, version), training)


def _list_shapes(caller: Caller, version: VersionId) -> dict[str, Any]:
    trainings = list_version_trainings(caller.ports, caller.workspace, version)
    models = caller.ports.store.list_models(caller.workspace)
    return {"trainings": [shape_training(training, models) for training in trainings]}


def _get_shape(caller: Caller, version: VersionId, training_id: str | None) -> dict[str, Any]:
    training = find_version_training(caller.ports, caller.workspace, version, training_id)
    return shape_training(training, caller.ports.store.list_models(caller.workspace))


def _cancel(caller: Caller, version: VersionId, training_id: str | None) -> dict[str, Any]:
    training = find_open_training(caller.ports, caller.workspace, version, training_id, "cancel")
    return shape_wish(cancel_training(caller.ports, training))


def _stop(caller: Caller, version: VersionId, training_id: str | None) -> dict[str, Any]:
    training = find_open_training(caller.ports, caller.workspace, version, training_id, "stop")
    return shape_wish(stop_training(caller.ports, training))


def _delete(caller: Caller, version: VersionId, training_id: str) -> dict[str, Any]:
    training = find_version_training(caller.ports, caller.workspace, version, training_id)
    change = delete_training(caller.ports, training)
    shape: dict[str, Any] = {"deleted": True, "type": "training", "trash": True, "id": training.id}
    return shape | _shape_change(caller, change)


def _shape_change(caller: Caller, change: AliasChange) -> dict[str, Any]:
    if change.action is None:
        return {}
    shape: dict[str, Any] = {"versionAliasAction": change.action}
    return shape | ({"versionAliasTarget": f"{caller.workspace}/{change.target}"} if change.target else {})
