"""Batches of pictures, and the annotation jobs that are made of them."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, admit
from atrous.server.workspace_paths import Id, ProjectRoute, ProjectSlug, WorkspaceSlug
from atrous.workspace.annotation_jobs import (
    JobOrder,
    create_annotation_job,
    find_annotation_job,
    list_annotation_jobs,
)
from atrous.workspace.batches import Batch, find_batch, list_batches, make_batch_id
from atrous.workspace.records import AnnotationJob, Scope

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)

Text = Annotated[str, Field(max_length=1000)]


class BatchShape(BaseModel):
    """Pictures that came under one name; `waitingMasks` were uploaded for pictures that have not come yet."""

    id: str
    name: str
    images: int
    unannotated: int
    waitingMasks: int
    created: float | None


class BatchesReply(BaseModel):
    """The batches, oldest first."""

    batches: list[BatchShape]


class BatchReply(BaseModel):
    """A batch."""

    batch: BatchShape


class NewJob(BaseModel):
    """Pictures of a batch to be labelled; `num_images` is how many, all that are in no job yet if not given."""

    model_config = ConfigDict(extra="ignore")

    batch: Annotated[str, Field(max_length=64)]
    labelerEmail: Text
    reviewerEmail: Text
    name: Text | None = None
    num_images: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    instructionText: Annotated[str, Field(max_length=10_000)] | None = None


class JobShape(BaseModel):
    """An annotation job; `sourceBatch` is the id of its batch."""

    id: str
    name: str
    sourceBatch: str
    batchName: str
    numImages: int
    labeler: str
    reviewer: str
    instructionsText: str
    created: float


class JobsReply(BaseModel):
    """The annotation jobs, oldest first."""

    jobs: list[JobShape]


class JobReply(BaseModel):
    """An annotation job."""

    job: JobShape


class MadeJobReply(JobShape):
    """The job that was made, as it is and under `job`."""

    success: bool
    job: JobShape


@router.get("/{workspace}/{project}/batches", responses=reply_of(BatchesReply))
async def show_batches(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """The batches of a project."""
    caller = await admit(request, workspace)
    batches = await run_in_threadpool(list_batches, caller.ports, caller.workspace, project)
    return {"batches": [_shape_batch(batch) for batch in batches]}


@router.get("/{workspace}/{project}/batches/{batch}", responses=reply_of(BatchReply))
async def show_batch(request: Request, workspace: WorkspaceSlug, project: ProjectSlug, batch: Id) -> dict[str, Any]:
    """A batch."""
    caller = await admit(request, workspace)
    return {"batch": _shape_batch(await run_in_threadpool(find_batch, caller.ports, caller.workspace, project, batch))}


@router.get("/{workspace}/{project}/jobs", responses=reply_of(JobsReply))
async def show_jobs(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """The annotation jobs of a project."""
    caller = await admit(request, workspace)
    jobs = await run_in_threadpool(list_annotation_jobs, caller.ports, caller.workspace, project)
    return {"jobs": [_shape_job(job) for job in jobs]}


@router.get("/{workspace}/{project}/jobs/{job}", responses=reply_of(JobReply))
async def show_job(request: Request, workspace: WorkspaceSlug, project: ProjectSlug, job: Id) -> dict[str, Any]:
    """An annotation job."""
    caller = await admit(request, workspace)
    return {
        "job": _shape_job(await run_in_threadpool(find_annotation_job, caller.ports, caller.workspace, project, job))
    }


@router.post("/{workspace}/{project}/jobs", openapi_extra=describe_json(NewJob), responses=reply_of(MadeJobReply))
async def make_job(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """Give pictures of a batch to somebody to label."""
    caller = await admit(request, workspace, scope=Scope.MANAGE)
    asked = parse_json(NewJob, await request.body())
    order = JobOrder(
        batch=asked.batch,
        labeler=asked.labelerEmail,
        reviewer=asked.reviewerEmail,
        name=asked.name or "",
        pictures=asked.num_images,
        instructions=asked.instructionText or "",
    )
    job = await run_in_threadpool(create_annotation_job, caller.ports, caller.workspace, project, order)
    return {**_shape_job(job), "success": True, "job": _shape_job(job)}


def _shape_batch(batch: Batch) -> dict[str, Any]:
    counts = batch.counts
    return {
        "id": batch.id,
        "name": counts.name,
        "images": counts.pictures,
        "unannotated": counts.unlabelled,
        "waitingMasks": batch.waiting_masks,
        "created": counts.created.timestamp() if counts.created else None,
    }


def _shape_job(job: AnnotationJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "sourceBatch": make_batch_id(job.batch),
        "batchName": job.batch,
        "numImages": job.pictures,
        "labeler": job.labeler,
        "reviewer": job.reviewer,
        "instructionsText": job.instructions,
        "created": job.created.timestamp(),
    }
