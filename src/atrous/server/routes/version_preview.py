"""A look at what a version would hold, before it is made."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.openapi import reply_of
from atrous.server.platform import PLATFORM_ERRORS, admit
from atrous.server.workspace_paths import ProjectRoute, ProjectSlug, WorkspaceSlug
from atrous.workspace.version_preview import MAX_PREVIEWS, Preview, preview

router = APIRouter(tags=["platform"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)


class PreviewRequest(BaseModel):
    """Settings as for a version, and how many pictures to show."""

    settings: dict[str, Any]
    count: Annotated[int, Field(ge=1, le=MAX_PREVIEWS)] = 4


class PreviewShape(BaseModel):
    """A picture as the network would see it: `image` a JPEG with the label over it, `mask` a PNG of class ids."""

    name: str
    image: Annotated[str, Field(description="Base64.")]
    mask: Annotated[str, Field(description="Base64.")]


class PreviewReply(BaseModel):
    """Some pictures after all steps."""

    previews: list[PreviewShape]


@router.post(
    "/{workspace}/{project}/preview", openapi_extra=describe_json(PreviewRequest), responses=reply_of(PreviewReply)
)
async def preview_version(request: Request, workspace: WorkspaceSlug, project: ProjectSlug) -> dict[str, Any]:
    """Show some pictures after all steps; training pictures come first, and nothing is kept."""
    caller = await admit(request, workspace)
    asked = parse_json(PreviewRequest, await request.body())
    previews = await run_in_threadpool(preview, caller.ports, caller.workspace, project, asked.settings, asked.count)
    return {"previews": [_shape(one) for one in previews]}


def _shape(one: Preview) -> dict[str, str]:
    image, mask = (base64.b64encode(data).decode("ascii") for data in (one.image, one.mask))
    return {"name": one.name, "image": image, "mask": mask}
