"""Weights that were trained elsewhere: announced, sent to a link that needs no key, published by a worker."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.ids import VersionId
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import NO_KEY_NEEDED, reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.received_files import receive_file
from atrous.server.service import service_of
from atrous.server.signed_links import check, own_url, sign
from atrous.server.workspace_paths import Id, ProjectSlug, Token, VersionNumber, VersionRoute, WorkspaceSlug
from atrous.training.model_types import parse_model_type
from atrous.workspace.model_upload import (
    ModelUpload,
    announce_model,
    expect_weights,
    find_model_upload,
    parse_upload,
    receive_weights,
    write_upload,
)
from atrous.workspace.ports import Ports
from atrous.workspace.records import Job, JobState, Scope
from atrous.workspace.versions import find_version

router = APIRouter(tags=["models"], responses=PLATFORM_ERRORS, route_class=VersionRoute)
files = APIRouter(tags=["models"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)

KIND = "model-uploads"
PATH = "/{workspace}/{project}/{version}/upload-weights"
WEIGHTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class NewModel(BaseModel):
    """What the weights are of, such as `deeplabv3plus-r50`; recognised by their names and shapes if left out."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    modelType: Annotated[str | None, Field(max_length=200)] = None


class AnnouncedModel(BaseModel):
    """PUT a state dict of segmentation-models-pytorch to `signedUrl` within a day, then ask for the task."""

    taskId: str
    signedUrl: str


class UploadStatus(BaseModel):
    """An upload: queued, running, done, failed or cancelled; `modelId` once it is done."""

    model_config = ConfigDict(protected_namespaces=())

    taskId: str
    status: str
    modelId: str | None
    error: str | None


@router.post(PATH, openapi_extra=describe_json(NewModel, required=False), responses=reply_of(AnnouncedModel))
async def announce(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber
) -> dict[str, Any]:
    """Announce weights that are to become a model of a version."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(NewModel, await request.body() or b"{}")
    upload, token = await run_in_threadpool(_announce, caller, VersionId(project, version), asked.modelType)
    return {"taskId": upload.id, "signedUrl": own_url(request, f"/platform/model-uploads/{token}")}


@router.get(f"{PATH}/{{task}}", responses=reply_of(UploadStatus))
async def show_upload(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber, task: Id
) -> dict[str, Any]:
    """How far an upload is."""
    caller = await admit(request, workspace)
    job = await run_in_threadpool(find_model_upload, caller.ports, caller.workspace, VersionId(project, version), task)
    return _shape(job)


@files.put(
    "/platform/model-uploads/{token}", openapi_extra=WEIGHTS_BODY | NO_KEY_NEEDED, responses=reply_of(UploadStatus)
)
async def receive(request: Request, token: Token) -> dict[str, Any]:
    """Send the weights to the link that their announcement gave; once, as it is good for one file."""
    ports = service_of(request).ports
    upload = await run_in_threadpool(_open_link, ports, token)
    async with receive_file(request) as path:
        return _shape(await run_in_threadpool(receive_weights, ports, upload, path))


def _announce(caller: Caller, version_id: VersionId, model_type: str | None) -> tuple[ModelUpload, str]:
    if model_type:
        parse_model_type(model_type)
    upload = announce_model(find_version(caller.ports, caller.workspace, version_id), model_type or "")
    return upload, sign(caller.ports, KIND, write_upload(upload))


def _open_link(ports: Ports, token: str) -> ModelUpload:
    upload = parse_upload(check(ports, KIND, token))
    expect_weights(ports, upload)
    return upload


def _shape(job: Job) -> dict[str, Any]:
    return {
        "taskId": job.id,
        "status": job.state.value,
        "modelId": f"{job.workspace}/{job.result['model']}" if job.state is JobState.DONE else None,
        "error": job.error,
    }
