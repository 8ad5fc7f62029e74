"""Datasets uploaded as one archive: announced, sent to a link that needs no key, imported by a worker."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import NO_KEY_NEEDED, reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.received_files import receive_file
from atrous.server.service import service_of
from atrous.server.signed_links import check, own_url, sign
from atrous.server.upload_words import read_split
from atrous.server.workspace_paths import Id, ProjectRoute, ProjectSlug, Token, WorkspaceRoute, WorkspaceSlug
from atrous.workspace.ports import Ports
from atrous.workspace.records import Job, JobState, Scope
from atrous.workspace.zip_uploads import (
    ZipOptions,
    expect_archive,
    find_zip_upload,
    is_awaited,
    receive_archive,
    start_zip_upload,
)

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)
of_workspaces = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=WorkspaceRoute)
files = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)

KIND = "zip-uploads"
WORDS = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "in_progress",
    JobState.DONE: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}
WAITING = "pending"


class NewZip(BaseModel):
    """What is to become of the archive.

    `format`, `fixes` and `strict` are those of `atrous import`; `unlabelled` takes pictures without a label too.
    """

    model_config = ConfigDict(extra="ignore")

    annotationOverwrite: bool = False
    split: Annotated[str, Field(max_length=20)] | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100)] | None = None
    batchName: Annotated[str, Field(max_length=1000)] | None = None
    format: Annotated[str, Field(max_length=64)] = "auto"
    fixes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)] = Field(
        default_factory=list[str]
    )
    strict: bool = False
    unlabelled: bool = True


class StartedZip(BaseModel):
    """PUT the archive to `signedUrl` within a day; then ask for the task."""

    taskId: str
    signedUrl: str


class ZipProgress(BaseModel):
    """Pictures that are done, of `total`."""

    current: int
    total: int


class ZipStatus(BaseModel):
    """An upload: pending, queued, in_progress, completed or failed; `result` is the report of a completed import."""

    taskId: str
    status: str
    progress: ZipProgress
    result: dict[str, Any] | None
    error: str | None


class ReceivedZip(BaseModel):
    """The archive has arrived."""

    success: bool


ARCHIVE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/{workspace}/{project}/upload/zip",
    openapi_extra=describe_json(NewZip, required=False),
    responses=reply_of(StartedZip),
)
async def start_zip(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """Announce an archive of pictures and labels in any layout that `atrous import` reads; a zip or a tar."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    body = await request.body()
    asked = parse_json(NewZip, body) if body.strip() else NewZip()
    task_id, token = await run_in_threadpool(_start, caller, project, _read_options(asked))
    return {"taskId": task_id, "signedUrl": own_url(request, f"/platform/uploads/{token}")}


@of_workspaces.get("/{workspace}/upload/zip/{task}", responses=reply_of(ZipStatus))
async def show_zip(request: Request, workspace: WorkspaceSlug, task: Id) -> dict[str, Any]:
    """How far an upload is."""
    caller = await admit(request, workspace)
    return _shape(await run_in_threadpool(find_zip_upload, caller.ports, caller.workspace, task))


@files.put("/platform/uploads/{token}", openapi_extra=ARCHIVE_BODY | NO_KEY_NEEDED, responses=reply_of(ReceivedZip))
async def receive_zip(request: Request, token: Token) -> dict[str, Any]:
    """Send the archive to the link that its announcement gave; once, as it is good for one archive."""
    ports = service_of(request).ports
    workspace, task_id = await run_in_threadpool(_open_link, ports, token)
    async with receive_file(request) as path:
        await run_in_threadpool(receive_archive, ports, workspace, task_id, path)
    return {"success": True}


def _read_options(asked: NewZip) -> ZipOptions:
    return ZipOptions(
        overwrite=asked.annotationOverwrite,
        split=read_split(asked.split) if asked.split else None,
        batch=asked.batchName or "",
        tags=asked.tags or (),
        format_name=asked.format,
        fixes=asked.fixes,
        strict=asked.strict,
        unlabelled=asked.unlabelled,
    )


def _start(caller: Caller, project: str, options: ZipOptions) -> tuple[str, str]:
    job = start_zip_upload(caller.ports, caller.workspace, project, options)
    return job.id, sign(caller.ports, KIND, f"{caller.workspace}/{job.id}")


def _open_link(ports: Ports, token: str) -> tuple[str, str]:
    workspace, _, task_id = check(ports, KIND, token).partition("/")
    expect_archive(ports, workspace, task_id)
    return workspace, task_id


def _shape(job: Job) -> dict[str, Any]:
    return {
        "taskId": job.id,
        "status": WAITING if is_awaited(job) else WORDS[job.state],
        "progress": {"current": job.progress.get("current", 0), "total": job.progress.get("total", 0)},
        "result": dict(job.result) if job.state is JobState.DONE else None,
        "error": job.error or ("cancelled" if job.state is JobState.CANCELLED else None),
    }
