"""Workflows of one semantic segmentation block, as `run_workflow` of inference-sdk sends them."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from atrous.core.errors import NotFoundError
from atrous.runtime.stages import Stage, Stages
from atrous.runtime.tiling import parse_tiling
from atrous.server.answer import Wish, encode_json, predict_answer
from atrous.server.confidence import threshold_of
from atrous.server.declared import Image, check_count, collect_pictures
from atrous.server.errors import error_response
from atrous.server.json_bodies import describe_json, parse_json
from atrous.server.keys import find_secret, find_workspace
from atrous.server.loaded_model import LoadedModel
from atrous.server.metrics import Metrics
from atrous.server.openapi import ERRORS
from atrous.server.replies import Reply, reply_all
from atrous.server.service import OpenModel, service_of
from atrous.server.workflow_answer import describe_classes
from atrous.server.workflow_graph import (
    ALL_FIELDS,
    IN_INPUTS,
    RULE,
    Graph,
    Output,
    WorkflowError,
    bind_confidence,
    bind_model,
    model_graph,
    parse_graph,
)
from atrous.server.workspace_paths import ToldSlug
from atrous.workspace.models import find_model

router = APIRouter(tags=["workflows"])


class RunRequest(BaseModel):
    """Inputs by name; other keys, such as `use_cache`, are ignored."""

    inputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    api_key: str | None = None
    excluded_fields: list[str] | None = None


class SpecifiedRequest(RunRequest):
    """The same with the workflow's specification."""

    specification: dict[str, Any]


class ValidateRequest(BaseModel):
    """A specification alone."""

    specification: dict[str, Any]
    api_key: str | None = None


class WorkflowReply(BaseModel):
    """One object of outputs for each picture."""

    outputs: list[dict[str, Any]]
    profiler_trace: list[Any]


RUN: dict[str, Any] = {"responses": {200: {"model": WorkflowReply}, **ERRORS}}


@router.post("/workflows/run", openapi_extra=describe_json(SpecifiedRequest), **RUN)
@router.post("/infer/workflows", openapi_extra=describe_json(SpecifiedRequest), **RUN)
async def run_workflow(request: Request) -> Response:
    """Run a specification of one semantic segmentation block; anything else is refused with 400."""
    asked = parse_json(SpecifiedRequest, await request.body())
    workspace = await _find_workspace(request, asked.api_key)
    try:
        return await _run(request, workspace, parse_graph(asked.specification), asked)
    except WorkflowError as error:
        return _answer_error(error)


@router.post("/{workspace}/workflows/{workflow_id}", openapi_extra=describe_json(RunRequest), **RUN)
@router.post("/infer/workflows/{workspace}/{workflow_id}", openapi_extra=describe_json(RunRequest), **RUN)
async def run_named_workflow(request: Request, workspace: ToldSlug, workflow_id: ToldSlug) -> Response:
    """Run a model by its slug: inputs are `image` and, if wished, `confidence`; outputs are those of the block."""
    asked = parse_json(RunRequest, await request.body())
    if await _find_workspace(request, asked.api_key) != workspace:
        raise _unknown_workflow()
    try:
        return await _run(request, workspace, model_graph(f"{workspace}/{workflow_id}"), asked)
    except WorkflowError as error:
        return _answer_error(error)
    except NotFoundError as error:
        raise _unknown_workflow() from error


@router.post("/workflows/validate", openapi_extra=describe_json(ValidateRequest), responses=ERRORS)
async def validate_workflow(request: Request) -> Response:
    """Tell whether a specification could be run here."""
    asked = parse_json(ValidateRequest, await request.body())
    await _find_workspace(request, asked.api_key)
    try:
        parse_graph(asked.specification)
    except WorkflowError as error:
        return _answer_error(error)
    return Response(encode_json({"status": "ok"}), media_type="application/json")


@router.get("/workflows/{path:path}", include_in_schema=False)
@router.post("/workflows/{path:path}", include_in_schema=False)
@router.post("/{workspace}/workflows/{workflow_id}/describe_interface", include_in_schema=False)
@router.post("/infer/workflows/{path:path}", include_in_schema=False)
async def refuse_workflow_tool() -> Response:
    """Descriptions of blocks, interfaces and schemas are for editors of workflows: 501."""
    return error_response(501, {"message": f"this part of workflows is not here: {RULE}"})


async def _find_workspace(request: Request, body_key: str | None) -> str:
    return await run_in_threadpool(find_workspace, service_of(request), find_secret(request, body_key))


async def _run(request: Request, workspace: str, graph: Graph, asked: RunRequest) -> Response:
    service = service_of(request)
    model_id, confidence = bind_model(graph, asked.inputs), bind_confidence(graph, asked.inputs)
    images = _read_images(graph, asked.inputs)
    model = await run_in_threadpool(find_model, service.ports, workspace, model_id)
    check_count(len(images), service.settings.max_images)
    pictures = await collect_pictures(service.url_pictures, images, named=True)
    opened = await service.open_model(model, model_id)
    excluded = frozenset(asked.excluded_fields or ())
    outputs = [output for output in graph.outputs if output.name not in excluded]
    wish = Wish(
        threshold=threshold_of(confidence, model),
        max_pixels=service.settings.max_pixels,
        jpeg_scale=service.settings.jpeg_scale,
        tiling=parse_tiling(service.settings.tile),
    )
    reply = await service.slots.run(partial(_reply, opened, pictures, wish, outputs, service.metrics), opened.key)
    return reply.respond(opened)


def _read_images(graph: Graph, inputs: Mapping[str, Any]) -> list[Image]:
    found = inputs.get(graph.image_input)
    declared = cast("list[Any]", found) if isinstance(found, list) else [found]
    try:
        return [Image.model_validate(one) for one in declared]
    except ValidationError:
        # Not chained: the original quotes the picture.
        raise WorkflowError(
            f"the workflow's inputs: {graph.image_input[:100]} must be a picture as "
            '{"type": "base64", "value": "..."}, or an array of these',
            IN_INPUTS,
        ) from None


def _reply(
    opened: OpenModel,
    pictures: Sequence[Callable[[], bytes]],
    wish: Wish,
    outputs: Sequence[Output],
    metrics: Metrics,
) -> Reply:
    kind = partial(_reply_outputs, model_id=opened.model_id, outputs=outputs)
    reply = reply_all(kind, opened.loaded, pictures, wish, metrics)
    return replace(reply, body=b'{"outputs":%b,"profiler_trace":[]}' % reply.body)


def _reply_outputs(
    loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages, *, model_id: str, outputs: Sequence[Output]
) -> Reply:
    """What the workflow gives for one picture."""
    _, answer = predict_answer(loaded, data, wish, stages)
    with stages.time(Stage.PNG):
        values = {
            "inference_id": str(uuid.uuid4()),
            "predictions": describe_classes(answer, loaded.engine.bundle.class_map),
            "model_id": model_id,
        }
    with stages.time(Stage.JSON):
        return Reply(
            encode_json({one.name: values if one.field == ALL_FIELDS else values[one.field] for one in outputs})
        )


def _unknown_workflow() -> NotFoundError:
    return NotFoundError(
        "this workspace has no such workflow; the name of a workflow is the slug of a model (see /model/published), or "
        "send a specification to /workflows/run"
    )


def _answer_error(error: WorkflowError) -> Response:
    """The form in which the stock server tells what is wrong with a workflow."""
    content = {
        "message": str(error),
        "error_type": "RuntimeInputError" if error.context == IN_INPUTS else "WorkflowDefinitionError",
        "context": error.context,
        "inner_error_type": type(error).__name__,
        "inner_error_message": RULE,
        "blocks_errors": [error.block] if error.block else [],
    }
    return error_response(error.status, content)
