"""Exports of versions: asked for until they are ready, then fetched by a link that needs no key."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from atrous.core.errors import ConflictError
from atrous.core.ids import VersionId
from atrous.server.openapi import NO_KEY_NEEDED, reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.sent_files import SentFile, describe_file
from atrous.server.service import service_of
from atrous.server.shapes.versions import VersionShape, shape_version
from atrous.server.signed_links import check, own_url, sign
from atrous.server.workspace_paths import ProjectSlug, Token, VersionNumber, VersionRoute, WorkspaceSlug
from atrous.workspace.exports import EXPORT_FORMATS, check_format, find_export, request_export
from atrous.workspace.ports import Ports
from atrous.workspace.projects import find_version_facts
from atrous.workspace.records import Job, JobState, Version, VersionState
from atrous.workspace.versions import find_version

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=VersionRoute)
files = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)

FormatName = Annotated[str, WithJsonSchema({"enum": [*EXPORT_FORMATS]})]

KIND = "exports"
ACCEPTED = 202


class ProgressReply(BaseModel):
    """How far the export is, as a share of 1; ask again."""

    progress: float


class ExportShape(BaseModel):
    """A zip file of `size` bytes at `link`, which is good for a day and needs no key."""

    format: str
    link: str
    size: int


class ExportReply(BaseModel):
    """An export that is ready, and its version."""

    export: ExportShape
    version: VersionShape


@router.get(
    "/{workspace}/{project}/{version}/{format_name}",
    responses=reply_of(ExportReply) | {ACCEPTED: {"model": ProgressReply, "description": "Not ready yet."}},
)
async def export_version(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, version: VersionNumber, format_name: FormatName
) -> Response:
    """The version as a zip file in one of the formats; a worker writes it when it is first asked for."""
    caller = await admit(request, workspace)
    status, content = await run_in_threadpool(_export, caller, VersionId(project, version), format_name)
    if "export" in content:
        content["export"]["link"] = own_url(request, content["export"]["link"])
    return JSONResponse(content, status)


@files.get(
    "/platform/exports/{token}.zip",
    responses=describe_file("application/zip", "The file."),
    response_class=SentFile,
    openapi_extra=NO_KEY_NEEDED,
)
@files.head("/platform/exports/{token}.zip", include_in_schema=False)
async def send_export(request: Request, token: Token) -> Response:
    """The zip file of a link; parts of it by the header `Range`."""
    return await run_in_threadpool(_open_export, service_of(request).ports, token)


def _export(caller: Caller, version_id: VersionId, format_name: str) -> tuple[int, dict[str, Any]]:
    check_format(format_name)
    version = find_version(caller.ports, caller.workspace, version_id)
    if version.state is VersionState.GENERATING:
        return ACCEPTED, {"progress": 0.0}
    if version.state is VersionState.FAILED:
        raise ConflictError(f"version {version.id}: could not be made ({version.error}); make another one")
    before = find_export(caller.ports, version, format_name)
    job = request_export(caller.ports, version, format_name)
    if before is not None and before.state is JobState.FAILED:
        raise ConflictError(
            f"export of {version.id} as {format_name}: failed ({before.error}); it is being tried again"
        )
    if job.state is not JobState.DONE:
        return ACCEPTED, {"progress": _share(job)}
    return 200, _describe(caller.ports, version, format_name, job)


def _share(job: Job) -> float:
    """How far a job is, from what its worker tells."""
    done, total = job.progress.get("done", 0), job.progress.get("total", 0)
    return min(1.0, done / total) if total else 0.0


def _describe(ports: Ports, version: Version, format_name: str, job: Job) -> dict[str, Any]:
    filename = f"{version.project}.v{version.number}.{format_name}.zip"
    token = sign(ports, KIND, f"{job.result['sha256']}/{filename}")
    export = {"format": format_name, "link": f"/platform/exports/{token}.zip", "size": job.result["bytes"]}
    return {"export": export, "version": shape_version(find_version_facts(ports, version))}


def _open_export(ports: Ports, token: str) -> Response:
    sha256, _, filename = check(ports, KIND, token).partition("/")
    path = ports.blobs.path(sha256)
    return SentFile(path, media_type="application/zip", filename=filename, stat_result=path.stat())
