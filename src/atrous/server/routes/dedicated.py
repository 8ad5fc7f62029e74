"""Dedicated deployments, as `roboflow deployment` manages them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import InvalidInputError, NotFoundError
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.service import service_of
from atrous.server.shapes.deployments import (
    DELETING,
    DeploymentShape,
    DeploymentUseShape,
    LogEntryShape,
    MachineTypeShape,
    UseShape,
    shape_deployment,
    shape_deployment_use,
    shape_log_entry,
    shape_machine_type,
    shape_workspace_use,
    sum_use,
)
from atrous.server.signed_links import own_url
from atrous.workspace.deployment import Deployment
from atrous.workspace.deployments import (
    MAX_LINES,
    DeploymentOrder,
    change_models,
    create_deployment,
    delete_deployment,
    find_deployment,
    list_log,
    list_use,
    pause_deployment,
    resume_deployment,
)
from atrous.workspace.records import Scope

router = APIRouter(prefix="/dedicated", tags=["deployments"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)

DEFAULT_HOURS = 3.0
DEFAULT_USE = timedelta(days=1)
DEFAULT_LOG = timedelta(hours=1)
DEFAULT_LINES = 50
# What a `+` becomes in a query that nobody escaped.
LOST_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")


def _read_moment(text: Any) -> datetime:
    """ISO 8601; UTC where it names no zone."""
    moment = datetime.fromisoformat(LOST_PLUS.sub(r"\1+\2", str(text)))
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("must be a time of our days") from error


Name = Annotated[str, Field(max_length=64)]
NameQuery = Annotated[str, Query(max_length=64)]
Moment = Annotated[datetime, BeforeValidator(_read_moment)]
ModelIds = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)]


class _Body(BaseModel):
    """What every body may carry."""

    model_config = ConfigDict(extra="ignore")

    api_key: str | None = None


class NewDeployment(_Body):
    """A deployment to be made; `duration` is in hours, null for no end. `models` are loaded before it is ready.

    `inference_version` is told back and has no effect.
    """

    deployment_name: Name
    machine_type: Name
    creator_email: Annotated[str, Field(max_length=320)] = ""
    duration: float | None = DEFAULT_HOURS
    delete_on_expiration: bool = True
    inference_version: Annotated[str, Field(max_length=64)] | None = None
    models: ModelIds = []


class NamedDeployment(_Body):
    """Which deployment."""

    deployment_name: Name


class ResumedDeployment(NamedDeployment):
    """Which deployment, and how many hours it is to run from now on; its end stays where it is if not said."""

    duration: float | None = None


class ChangedDeployment(NamedDeployment):
    """Which deployment, and all the models that it is to load."""

    models: ModelIds


class MachineTypesReply(BaseModel):
    """The machine types."""

    machine_types: list[MachineTypeShape]


class DeploymentsReply(BaseModel):
    """The deployments, oldest first."""

    deployments: list[DeploymentShape]


class ChangedReply(BaseModel):
    """What is being deleted."""

    deployment_id: str
    deployment_name: str
    status: str
    message: str


class WorkspaceUseReply(UseShape):
    """The use of all deployments and of the shared server, whose name is empty; `hours` are whole ones."""

    workspace_url: str
    from_timestamp: str
    to_timestamp: str
    deployments: list[DeploymentUseShape]


class DeploymentUseReply(DeploymentUseShape):
    """The use of a deployment; `hours` are whole ones."""

    from_timestamp: str
    to_timestamp: str


@router.get("/machine_types", responses=reply_of(MachineTypesReply))
async def show_machine_types(request: Request) -> dict[str, Any]:
    """The machine types that deployments can be ordered as."""
    await _admit(request)
    return {"machine_types": [shape_machine_type(one) for one in service_of(request).fleet.types.values()]}


@router.post("/add", openapi_extra=describe_json(NewDeployment), responses=reply_of(DeploymentShape))
async def add(request: Request) -> dict[str, Any]:
    """Order a deployment; it is `pending` until its models have answered."""
    asked = parse_json(NewDeployment, await request.body())
    caller = await _admit(request, Scope.MANAGE, asked.api_key)
    order = DeploymentOrder(
        name=asked.deployment_name,
        machine_type=asked.machine_type,
        duration_hours=asked.duration,
        delete_on_expiration=asked.delete_on_expiration,
        models=tuple(asked.models),
        creator_email=asked.creator_email.strip(),
        inference_version=asked.inference_version or "latest",
    )
    fleet = service_of(request).fleet
    made = await run_in_threadpool(create_deployment, caller.ports, fleet, caller.workspace, order)
    return shape_deployment(made, _locate(request, made))


@router.get("/get", responses=reply_of(DeploymentShape))
async def show(request: Request, deployment_name: NameQuery) -> dict[str, Any]:
    """A deployment."""
    caller = await _admit(request)
    found = await run_in_threadpool(find_deployment, caller.ports, caller.workspace, deployment_name)
    return shape_deployment(found, _locate(request, found))


@router.get("/list", responses=reply_of(DeploymentsReply))
async def show_all(request: Request) -> dict[str, Any]:
    """The deployments of the key's workspace."""
    caller = await _admit(request)
    found = await run_in_threadpool(caller.ports.store.list_deployments, caller.workspace)
    return {"deployments": [shape_deployment(one, _locate(request, one)) for one in found]}


@router.post("/pause", openapi_extra=describe_json(NamedDeployment), responses=reply_of(DeploymentShape))
async def pause(request: Request) -> dict[str, Any]:
    """Stop a deployment, which frees all that it takes."""
    asked = parse_json(NamedDeployment, await request.body())
    caller = await _admit(request, Scope.MANAGE, asked.api_key)
    paused = await run_in_threadpool(pause_deployment, caller.ports, caller.workspace, asked.deployment_name)
    return shape_deployment(paused, _locate(request, paused))


@router.post("/resume", openapi_extra=describe_json(ResumedDeployment), responses=reply_of(DeploymentShape))
async def resume(request: Request) -> dict[str, Any]:
    """Run a deployment again that was paused, failed or expired; what expired needs a new `duration`."""
    asked = parse_json(ResumedDeployment, await request.body())
    caller = await _admit(request, Scope.MANAGE, asked.api_key)
    resumed = await run_in_threadpool(
        resume_deployment,
        caller.ports,
        service_of(request).fleet,
        caller.workspace,
        asked.deployment_name,
        duration_hours=asked.duration,
    )
    return shape_deployment(resumed, _locate(request, resumed))


@router.post("/update", openapi_extra=describe_json(ChangedDeployment), responses=reply_of(DeploymentShape))
async def update(request: Request) -> dict[str, Any]:
    """Give a deployment other models; it answers with the ones before until the new ones do."""
    asked = parse_json(ChangedDeployment, await request.body())
    caller = await _admit(request, Scope.MANAGE, asked.api_key)
    changed = await run_in_threadpool(
        change_models, caller.ports, caller.workspace, asked.deployment_name, asked.models
    )
    return shape_deployment(changed, _locate(request, changed))


@router.post("/delete", openapi_extra=describe_json(NamedDeployment), responses=reply_of(ChangedReply))
async def delete(request: Request) -> dict[str, Any]:
    """Stop and forget a deployment; what it answered until then is answered."""
    asked = parse_json(NamedDeployment, await request.body())
    caller = await _admit(request, Scope.MANAGE, asked.api_key)
    name = asked.deployment_name
    await run_in_threadpool(delete_deployment, caller.ports, caller.workspace, name)
    message = f"deployment {name} is being deleted"
    return {"deployment_id": name, "deployment_name": name, "status": DELETING, "message": message}


@router.get("/usage_workspace", responses=reply_of(WorkspaceUseReply))
async def show_workspace_use(
    request: Request, from_timestamp: Moment | None = None, to_timestamp: Moment | None = None
) -> dict[str, Any]:
    """What the workspace's keys asked for, by deployment, model, key and hour; the last day's unless said."""
    caller = await _admit(request)
    since, until = _choose_span(caller, from_timestamp, to_timestamp, DEFAULT_USE)
    hours = await run_in_threadpool(list_use, caller.ports, caller.workspace, since=since, until=until)
    return {
        "workspace_url": caller.workspace,
        **_shape_span(since, until),
        **sum_use(hours),
        "deployments": shape_workspace_use(hours),
    }


@router.get("/usage_deployment", responses=reply_of(DeploymentUseReply))
async def show_deployment_use(
    request: Request,
    deployment_name: NameQuery,
    from_timestamp: Moment | None = None,
    to_timestamp: Moment | None = None,
) -> dict[str, Any]:
    """The same of one deployment, also of one that was deleted."""
    caller = await _admit(request)
    since, until = _choose_span(caller, from_timestamp, to_timestamp, DEFAULT_USE)
    hours = await run_in_threadpool(
        list_use, caller.ports, caller.workspace, since=since, until=until, name=deployment_name
    )
    return {**shape_deployment_use(deployment_name, hours), **_shape_span(since, until)}


@router.get("/get_log", responses={200: {"model": list[LogEntryShape]}})
async def show_log(
    request: Request,
    deployment_name: NameQuery,
    from_timestamp: Moment | None = None,
    to_timestamp: Moment | None = None,
    max_entries: Annotated[int, Query(ge=1, le=MAX_LINES)] = DEFAULT_LINES,
) -> list[dict[str, Any]]:
    """What a deployment logged, newest first; in the last hour unless said."""
    caller = await _admit(request)
    since, until = _choose_span(caller, from_timestamp, to_timestamp, DEFAULT_LOG)
    entries = await run_in_threadpool(
        list_log, caller.ports, caller.workspace, deployment_name, since=since, until=until, limit=max_entries
    )
    return [shape_log_entry(entry) for entry in entries]


async def _admit(request: Request, scope: Scope = Scope.READ, body_key: str | None = None) -> Caller:
    own_name = service_of(request).settings.deployment
    if own_name:
        raise NotFoundError(f"this is deployment {own_name!r}, which manages none; ask the server that it belongs to")
    return await admit(request, scope=scope, body_key=body_key)


def _locate(request: Request, deployment: Deployment) -> str:
    """Where a deployment is asked for predictions, as the caller reaches this server."""
    domain = service_of(request).settings.deployments_domain
    if not domain:
        return own_url(request, f"/deployments/{deployment.name}")
    scheme, _, rest = own_url(request, "").partition("://")
    port = re.search(r":\d+$", rest)
    return f"{scheme}://{deployment.name}.{domain}{port[0] if port else ''}"


def _choose_span(
    caller: Caller, since: datetime | None, until: datetime | None, default: timedelta
) -> tuple[datetime, datetime]:
    """Both ends of a time of which one or none was given."""
    try:
        if since is not None:
            return since, until or since + default
        until = until or caller.ports.clock.now()
        return until - default, until
    except OverflowError:
        raise InvalidInputError("from_timestamp or to_timestamp: ask for a time of our days") from None


def _shape_span(since: datetime, until: datetime) -> dict[str, str]:
    return {"from_timestamp": since.isoformat(), "to_timestamp": until.isoformat()}
