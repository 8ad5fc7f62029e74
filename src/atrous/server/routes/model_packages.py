"""Models for stock Roboflow servers, which fetch and serve them themselves; in the words of both of their engines."""

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.bundle.environment import write_environment
from atrous.bundle.layout import ONNX_OPSET, WEIGHTS_ONNX
from atrous.core.errors import NotFoundError
from atrous.core.ids import ModelSlugId
from atrous.server.openapi import NO_KEY_NEEDED, reply_of
from atrous.server.platform import PLATFORM_ERRORS, Caller, PlatformRoute, admit
from atrous.server.sent_files import SentFile, describe_file
from atrous.server.service import service_of
from atrous.server.settings import SEMANTIC_SEGMENTATION
from atrous.server.shapes.projects import shape_colours
from atrous.server.signed_links import check, own_url, sign
from atrous.server.workspace_paths import Token, ToldSlug
from atrous.workspace.evaluations import find_best_threshold
from atrous.workspace.models import find_model
from atrous.workspace.packages import FILES, Package, describe_package, locate_package_file
from atrous.workspace.ports import Ports
from atrous.workspace.records import Model, Scope

router = APIRouter(tags=["model packages"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)

KIND = "packages"
# What its readers call any network that gives the scores of each pixel.
ARCHITECTURE = "deep-lab-v3-plus"
OLD_ARCHITECTURE = "deeplabv3plus"
ModelId = Annotated[str, Query(max_length=200, description="`project/version` or `workspace/model-slug`")]
FileName = Annotated[str, WithJsonSchema({"enum": [*FILES]})]
MODEL_FIELDS = ConfigDict(protected_namespaces=())


class ModelKind(BaseModel):
    """What kind of model it is."""

    model_config = MODEL_FIELDS

    modelArchitecture: str
    taskType: str


class StatReply(BaseModel):
    """A model that there is."""

    model_config = MODEL_FIELDS

    modelMetadata: ModelKind


class FileShape(BaseModel):
    """A file; its link is good for a day and needs no key."""

    fileHandle: str
    downloadUrl: str
    md5Hash: str


class PackageManifest(BaseModel):
    """What runs the package."""

    type: Literal["onnx-model-package-v1"]
    backendType: Literal["onnx"]
    quantization: Literal["fp32"]
    opset: int
    dynamicBatchSize: bool


class PackageShape(BaseModel):
    """A package of a model."""

    type: Literal["external-model-package-v1"]
    packageId: str
    trustedSource: bool
    packageManifest: PackageManifest
    packageFiles: list[FileShape]


class PackagedModel(ModelKind):
    """A model and its packages, of which there is one."""

    type: Literal["external-model-metadata-v1"]
    modelId: str
    recommendedParameters: dict[str, float] | None
    nextPage: str | None
    modelPackages: list[PackageShape]


class WeightsReply(BaseModel):
    """A model as it can be fetched."""

    model_config = MODEL_FIELDS

    modelMetadata: PackagedModel


class OldModel(BaseModel):
    """A model for older engines; `model` and `environment` are links."""

    model_config = MODEL_FIELDS

    classes: list[str]
    colors: dict[str, str]
    model: str
    environment: str
    type: str
    modelType: str


class OldReply(BaseModel):
    """A model by the number of its version."""

    ort: OldModel


class OldSlugReply(BaseModel):
    """A model by its slug, its environment at once."""

    model_config = MODEL_FIELDS

    modelFiles: dict[str, dict[str, str]]
    environment: dict[str, Any]
    classes: list[str]
    colors: dict[str, str]
    taskType: str
    modelType: str


@router.get("/models/v1/external/stat", responses=reply_of(StatReply))
async def stat_model(request: Request, model_id: Annotated[ModelId, Query(alias="modelId")]) -> dict[str, Any]:
    """Whether there is a model, and of what kind."""
    caller = await admit(request, scope=Scope.INFER)
    await run_in_threadpool(find_model, caller.ports, caller.workspace, model_id)
    return {"modelMetadata": _kind()}


@router.get("/models/v1/external/weights", responses=reply_of(WeightsReply))
async def describe_weights(request: Request, model_id: Annotated[ModelId, Query(alias="modelId")]) -> dict[str, Any]:
    """The files of a model."""
    caller = await admit(request, scope=Scope.INFER)
    model, package, token = await run_in_threadpool(_find, caller, model_id)
    best = find_best_threshold(model)
    shape = {
        "type": "external-model-package-v1",
        "packageId": package.id,
        "trustedSource": True,
        "packageManifest": {
            "type": "onnx-model-package-v1",
            "backendType": "onnx",
            "quantization": "fp32",
            "opset": ONNX_OPSET,
            "dynamicBatchSize": True,
        },
        "packageFiles": [
            {"fileHandle": file.name, "downloadUrl": _url(request, token, file.name), "md5Hash": file.md5}
            for file in package.files
        ],
    }
    metadata = {
        "type": "external-model-metadata-v1",
        "modelId": model_id,
        **_kind(),
        "recommendedParameters": None if best is None else {"confidence": best},
        "nextPage": None,
        "modelPackages": [shape],
    }
    return {"modelMetadata": metadata}


@router.get("/ort/{project}/{version}", responses=reply_of(OldReply))
async def describe_old(request: Request, project: ToldSlug, version: ToldSlug) -> dict[str, Any]:
    """A model for older engines, by the number of its version."""
    caller = await admit(request, scope=Scope.INFER)
    _, package, token = await run_in_threadpool(_find, caller, f"{project}/{version}")
    ort = {
        **_classes(package),
        "model": _url(request, token, WEIGHTS_ONNX),
        "environment": _url(request, token, "environment.json"),
        "type": SEMANTIC_SEGMENTATION,
        "modelType": OLD_ARCHITECTURE,
    }
    return {"ort": ort}


@router.get("/getWeights", responses=reply_of(OldSlugReply))
async def describe_old_slug(request: Request, model: ModelId) -> dict[str, Any]:
    """A model for older engines, by its slug."""
    caller = await admit(request, scope=Scope.INFER)
    _, package, token = await run_in_threadpool(_find, caller, model)
    return {
        "modelFiles": {"ort": {"model": _url(request, token, WEIGHTS_ONNX)}},
        "environment": write_environment(package.class_map, package.preprocessing),
        **_classes(package),
        "taskType": SEMANTIC_SEGMENTATION,
        "modelType": OLD_ARCHITECTURE,
    }


@router.get(
    "/platform/packages/{token}/environment.json",
    openapi_extra=NO_KEY_NEEDED,
    responses={200: {"model": dict[str, Any], "description": "How pictures are prepared, in older words."}},
)
async def get_environment(request: Request, token: Token) -> dict[str, Any]:
    """How pictures are prepared for the model of a link."""
    ports = service_of(request).ports
    model = await run_in_threadpool(_open_link, ports, token)
    package = await run_in_threadpool(describe_package, ports, model)
    return write_environment(package.class_map, package.preprocessing)


@router.head("/platform/packages/{token}/{name}", include_in_schema=False)
@router.get(
    "/platform/packages/{token}/{name}",
    openapi_extra=NO_KEY_NEEDED,
    response_class=SentFile,
    responses=describe_file("application/octet-stream", "The file."),
)
async def download_file(request: Request, token: Token, name: FileName) -> SentFile:
    """A file of the model of a link; parts of it by the header `Range`."""
    path = await run_in_threadpool(_locate, service_of(request).ports, token, name)
    return SentFile(path, media_type="application/octet-stream", filename=name)


def _kind() -> dict[str, str]:
    return {"modelArchitecture": ARCHITECTURE, "taskType": SEMANTIC_SEGMENTATION}


def _classes(package: Package) -> dict[str, Any]:
    return {"classes": list(package.class_map.names), "colors": shape_colours(package.class_map)}


def _url(request: Request, token: str, name: str) -> str:
    return own_url(request, f"/platform/packages/{token}/{name}")


def _find(caller: Caller, model_id: str) -> tuple[Model, Package, str]:
    model = find_model(caller.ports, caller.workspace, model_id)
    package = describe_package(caller.ports, model)
    return model, package, sign(caller.ports, KIND, f"{model.workspace}/{model.slug}")


def _open_link(ports: Ports, token: str) -> Model:
    workspace, _, slug = check(ports, KIND, token).partition("/")
    return find_model(ports, workspace, str(ModelSlugId(workspace, slug)))


def _locate(ports: Ports, token: str, name: str) -> Path:
    model = _open_link(ports, token)
    if name not in FILES:
        raise NotFoundError(f"{name[:100]}: is no file of this model; there are {', '.join(FILES)}")
    return locate_package_file(ports, model, name)
