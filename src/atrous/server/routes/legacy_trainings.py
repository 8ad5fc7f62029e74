"""Training as older clients ask for it: one at a time on a version."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import ConflictError, NotFoundError
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
from atrous.server.training_orders import TrainingOrder, place_order
from atrous.server.workspace_paths import ProjectSlug, VersionNumber, VersionRoute, WorkspaceSlug
from atrous.workspace.records import Scope, Training
from atrous.workspace.trainings import IN_FLIGHT, cancel_training, stop_training
from atrous.workspace.version_trainings import find_open_training, list_version_trainings

router = APIRouter(tags=["trainings"], responses=PLATFORM_ERRORS, route_class=VersionRoute)

PATH = "/{workspace}/{project}/{version}"


class NoWish(BaseModel):
    """Nothing that has a meaning here."""


@router.post(
    f"{PATH}/train", openapi_extra=describe_json(TrainingOrder, required=False), responses=reply_of(StartedShape)
)
async def start(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """Put a training into the queue, if none of this version is under way."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    order = parse_json(TrainingOrder, await request.body() or b"{}")
    weights = service_of(request).settings.train_encoder_weights
    return await run_in_threadpool(_start, caller, VersionId(project, version), order, weights)


@router.post(f"{PATH}/train/cancel", openapi_extra=describe_json(NoWish, required=False), responses=reply_of(WishShape))
async def cancel(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """End the training that is under way at once; its weights are thrown away."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    return await run_in_threadpool(_cancel, caller, VersionId(project, version))


@router.post(f"{PATH}/train/stop", openapi_extra=describe_json(NoWish, required=False), responses=reply_of(WishShape))
async def stop(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """End the training that is under way after its current step; its best weights become a model."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    return await run_in_threadpool(_stop, caller, VersionId(project, version))


@router.get(f"{PATH}/training/results", responses=reply_of(TrainingShape))
async def get_results(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """The training whose model `project/version` stands for; the newest one while there is none."""
    caller = await admit(request, workspace)
    return await run_in_threadpool(_get_results, caller, VersionId(project, version))


def _start(caller: Caller, version: VersionId, order: TrainingOrder, weights: str) -> dict[str, Any]:
    for training in list_version_trainings(caller.ports, caller.workspace, version):
        if training.state in IN_FLIGHT:
            raise ConflictError(
                f"version {version}: training {training.id} is {training.state} already; wait for it, cancel it, or "
                "start more at a time by v2/trainings (create_training of the client)"
            )
    return shape_started(place_order(caller.ports, caller.workspace, version, order, weights))


def _cancel(caller: Caller, version: VersionId) -> dict[str, Any]:
    training = find_open_training(caller.ports, caller.workspace, version, None, "cancel")
    return shape_wish(cancel_training(caller.ports, training))


def _stop(caller: Caller, version: VersionId) -> dict[str, Any]:
    training = find_open_training(caller.ports, caller.workspace, version, None, "stop")
    return shape_wish(stop_training(caller.ports, training))


def _get_results(caller: Caller, version: VersionId) -> dict[str, Any]:
    trainings = list_version_trainings(caller.ports, caller.workspace, version)
    if not trainings:
        raise NotFoundError(f"version {version}: has no training; start one")
    served = caller.ports.store.find_version_model(caller.workspace, version)
    return shape_training(
        _choose(trainings, served and served.training), caller.ports.store.list_models(caller.workspace)
    )


def _choose(trainings: list[Training], training_id: str | None) -> Training:
    return next((training for training in trainings if training.id == training_id), trainings[-1])
