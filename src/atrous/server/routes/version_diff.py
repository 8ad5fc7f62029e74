"""What two versions differ in."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.ids import VersionId
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, admit
from atrous.server.workspace_paths import ProjectSlug, VersionNumber, VersionRoute, WorkspaceSlug
from atrous.workspace.version_diff import VersionDiff, compare_versions

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=VersionRoute)

# Of names in each list.
MAX_NAMES = 1000


class DiffCounts(BaseModel):
    """Numbers of pictures; `kept` are in both versions."""

    added: int
    removed: int
    relabelled: int
    moved: int
    kept: int


class MoveShape(BaseModel):
    """A picture that is in another split."""

    name: str
    before: str
    after: str


class ClassChanges(BaseModel):
    """Names of classes."""

    added: list[str]
    removed: list[str]


class SettingChange(BaseModel):
    """A setting by its path, such as `preprocessing.resize.width`; null where it is not there."""

    setting: str
    before: Any = None
    after: Any = None


class DiffReply(BaseModel):
    """How the second version differs from the first; each list has at most 1000 names, the counts are of all."""

    first: str
    second: str
    counts: DiffCounts
    added: list[str]
    removed: list[str]
    relabelled: list[str]
    moved: list[MoveShape]
    classes: ClassChanges
    settings: list[SettingChange]


@router.get("/{workspace}/{project}/{version}/diff", responses=reply_of(DiffReply))
async def diff_versions(
    request: Request,
    workspace: WorkspaceSlug,
    project: ProjectSlug,
    version: VersionNumber,
    other: Annotated[VersionNumber, Query(alias="with", description="Number of the second version.")],
) -> dict[str, Any]:
    """Pictures added, removed, relabelled and moved, classes and settings changed, from this version to another."""
    caller = await admit(request, workspace)
    first, second = VersionId(project, version), VersionId(project, other)
    diff: VersionDiff = await run_in_threadpool(compare_versions, caller.ports, caller.workspace, first, second)
    return diff.as_json(MAX_NAMES)
