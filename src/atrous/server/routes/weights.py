"""A model's PyTorch weights, to be downloaded."""

from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.bundle.layout import WEIGHTS_TORCH
from atrous.core.errors import NotFoundError
from atrous.core.ids import ModelSlugId
from atrous.server.openapi import NO_KEY_NEEDED
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.sent_files import SentFile, describe_file
from atrous.server.service import service_of
from atrous.server.signed_links import check, own_url, sign
from atrous.server.workspace_paths import ModelSlug, ProjectRoute, ProjectSlug, Token, WorkspaceSlug
from atrous.workspace.models import find_model
from atrous.workspace.ports import Ports

router = APIRouter(tags=["models"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)
of_projects = APIRouter(tags=["models"], responses=PLATFORM_ERRORS, route_class=ProjectRoute)

KIND = "weights"


class WeightsReply(BaseModel):
    """Where the weights are for a day, without a key: a state dict of segmentation-models-pytorch."""

    weightsUrl: str


@of_projects.get("/{workspace}/{project}/{model}/ptFile", responses={200: {"model": WeightsReply}})
async def find_weights(
    request: Request, workspace: WorkspaceSlug, project: ProjectSlug, model: ModelSlug
) -> dict[str, str]:
    """A link to the weights of a model, which is named by its slug or by a version number of the project."""
    caller = await admit(request, workspace)
    token = await run_in_threadpool(_sign, caller, project, model)
    return {"weightsUrl": own_url(request, f"/platform/weights/{token}/{WEIGHTS_TORCH}")}


@router.head("/platform/weights/{token}/weights.pt", include_in_schema=False)
@router.get(
    "/platform/weights/{token}/weights.pt",
    openapi_extra=NO_KEY_NEEDED,
    response_class=SentFile,
    responses=describe_file("application/octet-stream", "The file."),
)
async def download_weights(request: Request, token: Token) -> SentFile:
    """The weights that a link leads to."""
    path = await run_in_threadpool(_locate, service_of(request).ports, token)
    return SentFile(path, media_type="application/octet-stream", filename=WEIGHTS_TORCH)


def _sign(caller: Caller, project: str, model_name: str) -> str:
    is_version = model_name.isascii() and model_name.isdigit()
    model_id = f"{project}/{model_name}" if is_version else str(ModelSlugId(caller.workspace, model_name))
    model = find_model(caller.ports, caller.workspace, model_id)
    if model.project != project:
        raise NotFoundError(f"model {model_name!r}: is not of project {project!r}; `roboflow model list` shows its own")
    return sign(caller.ports, KIND, f"{model.workspace}/{model.slug}")


def _locate(ports: Ports, token: str) -> Path:
    workspace, _, slug = check(ports, KIND, token).partition("/")
    model = find_model(ports, workspace, str(ModelSlugId(workspace, slug)))
    return ports.bundles.locate(model.workspace, model.slug) / WEIGHTS_TORCH
