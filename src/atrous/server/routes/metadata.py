"""Tags and metadata of pictures, changed one by one or many at once."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import NotFoundError
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, admit
from atrous.server.signed_links import own_url
from atrous.server.workspace_paths import Id, WorkspaceRoute, WorkspaceSlug
from atrous.workspace.pictures import PictureEdit, edit_picture, request_edits
from atrous.workspace.records import Job, JobKind, JobState, Scope

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=WorkspaceRoute)

ACCEPTED = 202
MAX_UPDATES = 1000
MAX_ENTRIES = 200
STATUSES = {JobState.DONE: "completed"}

Name = Annotated[str, Field(max_length=1000)]
Names = Annotated[list[Name], Field(max_length=MAX_ENTRIES)]


class Edit(BaseModel):
    """What is set and what is taken away; metadata are texts, numbers, true or false by name."""

    model_config = ConfigDict(extra="ignore")

    metadata: Annotated[dict[str, Any], Field(max_length=MAX_ENTRIES)] = {}
    removeMetadata: Names = []
    addTags: Names = []
    removeTags: Names = []

    def as_change(self) -> PictureEdit:
        """The same for the rules."""
        return PictureEdit(self.metadata, self.removeMetadata, self.addTags, self.removeTags)


class Update(Edit):
    """The same for a picture by its id."""

    imageId: Annotated[str, Field(max_length=64)]


class Updates(BaseModel):
    """Changes of many pictures."""

    model_config = ConfigDict(extra="ignore")

    updates: Annotated[list[Update], Field(min_length=1, max_length=MAX_UPDATES)]


class SuccessReply(BaseModel):
    """It is done."""

    success: bool


class TaskReply(BaseModel):
    """A worker does it; `url` tells how far it is."""

    taskId: str
    url: str


class TaskStatusReply(BaseModel):
    """A task: `status` is queued, running, completed, failed or cancelled; `result` is there when it is completed."""

    taskId: str
    status: str
    progress: dict[str, Any]
    result: dict[str, Any] | None = None
    error: str | None = None


@router.post(
    "/{workspace}/images/{picture_id}/metadata", openapi_extra=describe_json(Edit), responses=reply_of(SuccessReply)
)
async def change_one(request: Request, workspace: WorkspaceSlug, picture_id: Id) -> dict[str, Any]:
    """Change the tags and metadata of a picture; nothing that others wrote meanwhile is lost."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    change = parse_json(Edit, await request.body()).as_change()
    await run_in_threadpool(edit_picture, caller.ports, caller.workspace, picture_id, change)
    return {"success": True}


@router.post(
    "/{workspace}/images/metadata",
    status_code=ACCEPTED,
    openapi_extra=describe_json(Updates),
    responses={ACCEPTED: {"model": TaskReply, "description": "A worker will do it."}},
)
async def change_many(request: Request, workspace: WorkspaceSlug) -> dict[str, Any]:
    """Have up to 1,000 pictures changed by a worker."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    updates = parse_json(Updates, await request.body()).updates
    edits = [(update.imageId, update.as_change()) for update in updates]
    job = await run_in_threadpool(request_edits, caller.ports, caller.workspace, edits)
    return {"taskId": job.id, "url": own_url(request, f"/{workspace}/asynctasks/{job.id}")}


@router.get("/{workspace}/asynctasks/{task_id}", responses=reply_of(TaskStatusReply))
async def show_task(request: Request, workspace: WorkspaceSlug, task_id: Id) -> dict[str, Any]:
    """How far a task is."""
    caller = await admit(request, workspace)
    job = await run_in_threadpool(_find_task, caller, task_id)
    told: dict[str, Any] = {
        "taskId": job.id,
        "status": STATUSES.get(job.state, job.state.value),
        "progress": dict(job.progress),
    }
    if job.state is JobState.DONE:
        told["result"] = dict(job.result)
    return told | ({"error": job.error} if job.error else {})


def _find_task(caller: Caller, task_id: str) -> Job:
    job = caller.ports.queue.find_job(caller.workspace, task_id)
    if job is None or job.kind is not JobKind.METADATA:
        raise NotFoundError(f"task {task_id[:64]!r}: does not exist; the reply to a bulk change tells its taskId")
    return job
