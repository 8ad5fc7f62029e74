"""Which models there are and which are in memory; loading and unloading them."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import UnauthorizedError
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.keys import find_secret, find_workspace
from atrous.server.model_source import ServedModel
from atrous.server.openapi import ERRORS, reply_of
from atrous.server.service import Service, service_of
from atrous.server.settings import SEMANTIC_SEGMENTATION
from atrous.server.workspace_paths import ToldSlug
from atrous.workspace.models import find_model
from atrous.workspace.records import Model, Scope

router = APIRouter(tags=["models"], responses=ERRORS)

# Measured by the stock server on a GPU; asked for by name, so present and empty here.
GPU_FIGURES = (
    "total_vram_bytes",
    "gpu_memory_used",
    "gpu_memory_total",
    "torch_cuda_allocated",
    "torch_cuda_reserved",
    "torch_cuda_allocator_cache",
    "non_torch_gpu_memory",
)


class ModelRequest(BaseModel):
    """A model by its id, `project/version` or `workspace/model-slug`."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    api_key: str | None = None


class LoadedReply(BaseModel):
    """A model in memory; `task_type` is what clients need to hear, `served_task` is true."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    task_type: str
    served_task: str
    batch_size: int | None
    input_height: int
    input_width: int
    vram_bytes: int | None
    request_aliases: list[str]
    request_paths: list[str]


class RegistryReply(BaseModel):
    """The models in memory; figures of GPUs beside them are null."""

    models: list[LoadedReply]


REGISTRY = reply_of(RegistryReply)


class PublishedReply(BaseModel):
    """A model that may be asked: by `model_id`, which means the newest of its version, or by `slug_id`."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    slug_id: str
    created: str


class PublishedModelsReply(BaseModel):
    """The models of a workspace, newest first."""

    workspace: str
    models: list[PublishedReply]


class StartReply(BaseModel):
    """The model is ready."""

    status: int
    message: str


class KeyRequest(BaseModel):
    """Nothing but a key, and that may be missing."""

    api_key: str | None = None


@router.get("/model/published", responses=reply_of(PublishedModelsReply))
async def list_published_models(request: Request) -> dict[str, Any]:
    """All models that the key may use, loaded or not."""
    service = service_of(request)
    workspace = await run_in_threadpool(find_workspace, service, find_secret(request))
    models = await run_in_threadpool(service.ports.store.list_models, workspace)
    return {"workspace": workspace, "models": [_describe_published(model) for model in reversed(models)]}


@router.get("/model/registry", responses=REGISTRY)
async def list_models(request: Request) -> dict[str, Any]:
    """The models in memory that the key's workspace may use, under the ids they were asked by."""
    service = service_of(request)
    workspace = await run_in_threadpool(find_workspace, service, find_secret(request))
    return _registry(service, workspace)


@router.post("/model/add", openapi_extra=describe_json(ModelRequest), responses=REGISTRY)
async def add_model(request: Request) -> dict[str, Any]:
    """Load a model and wait until it is ready; one that is loaded already stays."""
    service = service_of(request)
    asked = parse_json(ModelRequest, await request.body())
    secret = find_secret(request, asked.api_key)
    workspace = await run_in_threadpool(find_workspace, service, secret)
    model = await run_in_threadpool(find_model, service.ports, workspace, asked.model_id)
    await service.open_model(model, asked.model_id)
    return _registry(service, workspace)


@router.post("/model/remove", openapi_extra=describe_json(ModelRequest), responses=REGISTRY)
async def remove_model(request: Request) -> dict[str, Any]:
    """Forget a model; an id that is not loaded is no error."""
    service = service_of(request)
    asked = parse_json(ModelRequest, await request.body())
    workspace = await _find_workspace_to_change(request, asked.api_key)
    service.pool.remove(workspace, asked.model_id)
    return _registry(service, workspace)


@router.get("/start/{project}/{version}", responses=reply_of(StartReply))
async def start_model(request: Request, project: ToldSlug, version: ToldSlug) -> dict[str, Any]:
    """Load a model and wait until it is ready, as older programs ask for it."""
    service = service_of(request)
    model_id = f"{project}/{version}"
    workspace = await run_in_threadpool(find_workspace, service, find_secret(request))
    model = await run_in_threadpool(find_model, service.ports, workspace, model_id)
    await service.open_model(model, model_id)
    return {"status": 200, "message": "inference session started from local memory."}


@router.get("/clear_cache", responses={200: {"description": "Done", "model": str}})
async def clear_cache(request: Request) -> str:
    """Forget all models of the key's workspace, as older programs ask for it; the scope `manage` is needed."""
    service = service_of(request)
    service.pool.clear(await _find_workspace_to_change(request, None))
    return "Cache Cleared"


@router.post("/model/clear", openapi_extra=describe_json(KeyRequest, required=False), responses=REGISTRY)
async def clear_models(request: Request) -> dict[str, Any]:
    """Forget all models of the key's workspace."""
    service = service_of(request)
    body = await request.body()
    asked = parse_json(KeyRequest, body) if body.strip() else KeyRequest()
    workspace = await _find_workspace_to_change(request, asked.api_key)
    service.pool.clear(workspace)
    return _registry(service, workspace)


async def _find_workspace_to_change(request: Request, body_key: str | None) -> str:
    service = service_of(request)
    secret = find_secret(request, body_key)
    if secret is None and service.settings.auth_required:
        raise UnauthorizedError(
            f"{request.url.path}: no API key was sent, and inference-sdk sends none here by default; use "
            'InferenceConfiguration(api_key_transport="header") or "both"'
        )
    return await run_in_threadpool(find_workspace, service, secret, Scope.MANAGE)


def _describe_published(model: Model) -> dict[str, str]:
    return {
        "model_id": str(model.version_id),
        "slug_id": f"{model.workspace}/{model.slug}",
        "created": model.created.isoformat(),
    }


def _registry(service: Service, workspace: str) -> dict[str, Any]:
    models = [
        _describe(model_id, loaded, service.settings.sdk_task)
        for model_id, loaded in service.pool.list_loaded(workspace)
    ]
    return {"models": models, **dict.fromkeys(GPU_FIGURES)}


def _describe(model_id: str, loaded: ServedModel, sdk_task: str) -> dict[str, Any]:
    size = loaded.input_size
    return {
        "model_id": model_id,
        "task_type": sdk_task,
        "served_task": SEMANTIC_SEGMENTATION,
        "batch_size": None,
        "input_height": size.height,
        "input_width": size.width,
        "vram_bytes": None,
        "request_aliases": [],
        "request_paths": [],
    }
