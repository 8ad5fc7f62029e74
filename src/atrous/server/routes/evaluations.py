"""Evaluations of models, read only: workers make them at the end of each training."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from atrous.evaluation.kept import KeptEvaluation, open_evaluation
from atrous.server.answer import encode_json
from atrous.server.evaluation_errors import EVALUATION_ERRORS, EvaluationRoute
from atrous.server.evaluation_parameters import (
    DEFAULT_METRIC,
    Metric,
    Percent,
    SplitName,
    SplitOrAll,
    Status,
    Text,
    check_metric,
    choose_split,
    choose_splits,
    read_filter,
    read_percent,
)
from atrous.server.openapi import reply_of
from atrous.server.platform import Caller, admit
from atrous.server.shapes.evaluation_panels import (
    ClassPerformance,
    ConfidenceSweep,
    ConfusionMatrix,
    MapResults,
    PicturePredictions,
    Recommendations,
    VectorAnalysis,
    shape_classes,
    shape_map_results,
    shape_matrix,
    shape_no_vectors,
    shape_pictures,
    shape_recommendations,
    shape_sweep,
)
from atrous.server.shapes.evaluations import (
    CandidateShape,
    EvaluationShape,
    OneEvaluationShape,
    shape_candidate,
    shape_evaluation,
    shape_one_evaluation,
)
from atrous.server.workspace_paths import Id, VersionNumber, WorkspaceSlug
from atrous.workspace.evaluations import compare_models, find_evaluation, list_evaluations, locate_details

router = APIRouter(
    prefix="/{workspace}/model-evals", tags=["evaluations"], responses=EVALUATION_ERRORS, route_class=EvaluationRoute
)

Limit = Annotated[int, Query(ge=1, le=200)]
PageLimit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]
ProjectName = Annotated[str, Query(max_length=200)]


class EvaluationsReply(BaseModel):
    """Evaluations of a workspace, newest first."""

    evals: list[EvaluationShape]


class ComparisonReply(BaseModel):
    """The models of a version, oldest first."""

    frontierMetric: str
    models: list[CandidateShape]


@router.get("", responses=reply_of(EvaluationsReply))
async def list_model_evaluations(
    request: Request,
    workspace: WorkspaceSlug,
    *,
    project: Text = None,
    version: Text = None,
    model: Text = None,
    status: Status = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Evaluations, newest first; several conditions narrow them down together.

    `project` is a slug, `version` a number or `project/number`, `model` the `modelId` of an evaluation.
    """
    caller = await admit(request, workspace)
    which = read_filter(caller.workspace, project=project, version=version, model=model, status=status)
    found = await run_in_threadpool(list_evaluations, caller.ports, caller.workspace, which, limit=limit)
    return {"evals": [shape_evaluation(evaluation) for evaluation in found]}


@router.get("/compare", responses=reply_of(ComparisonReply))
async def compare_evaluated_models(
    request: Request,
    workspace: WorkspaceSlug,
    project: ProjectName,
    version: VersionNumber,
    frontierMetric: Metric = DEFAULT_METRIC,
) -> dict[str, Any]:
    """The models of a version by a metric and their latency, both as their newest evaluations measured them."""
    caller = await admit(request, workspace)
    metric, slug = check_metric(frontierMetric), project.removeprefix(f"{caller.workspace}/")
    models = await run_in_threadpool(compare_models, caller.ports, caller.workspace, slug, version, metric)
    return {"frontierMetric": metric, "models": [shape_candidate(model) for model in models]}


@router.get("/{evaluation_id}", responses=reply_of(OneEvaluationShape))
async def get_model_evaluation(request: Request, workspace: WorkspaceSlug, evaluation_id: Id) -> dict[str, Any]:
    """One evaluation, with its figures once it is done."""
    caller = await admit(request, workspace)
    found = await run_in_threadpool(find_evaluation, caller.ports, caller.workspace, evaluation_id)
    return shape_one_evaluation(found)


@router.get("/{evaluation_id}/map-results", responses=reply_of(MapResults))
async def get_map_results(request: Request, workspace: WorkspaceSlug, evaluation_id: Id) -> Response:
    """Mean IoU, precision, recall and F1 of each split and class, at the threshold in force."""
    return await _answer(request, workspace, evaluation_id, shape_map_results)


@router.get("/{evaluation_id}/performance-by-class", responses=reply_of(ClassPerformance))
async def get_class_performance(
    request: Request, workspace: WorkspaceSlug, evaluation_id: Id, split: SplitName = None
) -> Response:
    """Scores of each class on one split, at the threshold in force."""

    def shape(kept: KeptEvaluation) -> dict[str, Any]:
        return shape_classes(kept, choose_split(split, kept.splits))

    return await _answer(request, workspace, evaluation_id, shape)


@router.get("/{evaluation_id}/confusion-matrix", responses=reply_of(ConfusionMatrix))
async def get_confusion_matrix(
    request: Request, workspace: WorkspaceSlug, evaluation_id: Id, split: SplitOrAll = None, confidence: Percent = None
) -> Response:
    """Pixels by label and prediction, at any threshold; at the one in force if none is given."""

    def shape(kept: KeptEvaluation) -> dict[str, Any]:
        percent = read_percent(confidence, kept.about["percent"])
        name, splits = choose_splits(split, kept.splits)
        return {"split": name} | shape_matrix(kept, splits, percent)

    return await _answer(request, workspace, evaluation_id, shape)


@router.get("/{evaluation_id}/confidence-sweep", responses=reply_of(ConfidenceSweep))
async def get_confidence_sweep(request: Request, workspace: WorkspaceSlug, evaluation_id: Id) -> Response:
    """Precision, recall and F1 at every threshold, of each split and class."""
    return await _answer(request, workspace, evaluation_id, shape_sweep)


@router.get("/{evaluation_id}/vector-analysis", responses=reply_of(VectorAnalysis))
async def get_vector_analysis(
    request: Request, workspace: WorkspaceSlug, evaluation_id: Id, confidence: Percent = None
) -> Response:
    """Groups of pictures that look alike: none here, and why."""

    def shape(kept: KeptEvaluation) -> dict[str, Any]:
        read_percent(confidence, kept.about["percent"])
        return shape_no_vectors()

    return await _answer(request, workspace, evaluation_id, shape)


@router.get("/{evaluation_id}/image-predictions", responses=reply_of(PicturePredictions))
async def list_image_predictions(
    request: Request,
    workspace: WorkspaceSlug,
    evaluation_id: Id,
    *,
    split: SplitOrAll = "all",
    confidence: Percent = None,
    limit: PageLimit = 200,
    offset: Offset = 0,
) -> Response:
    """What became of each picture at a threshold, the worst first, page by page."""

    def shape(kept: KeptEvaluation) -> dict[str, Any]:
        percent = read_percent(confidence, kept.about["percent"])
        name, splits = choose_splits(split, kept.splits)
        return {"split": name} | shape_pictures(kept, splits, percent, offset=offset, limit=limit)

    return await _answer(request, workspace, evaluation_id, shape)


@router.get("/{evaluation_id}/recommendations", responses=reply_of(Recommendations))
async def get_recommendations(request: Request, workspace: WorkspaceSlug, evaluation_id: Id) -> Response:
    """What to do next about the model, in numbers."""
    return await _answer(request, workspace, evaluation_id, shape_recommendations)


async def _answer(
    request: Request, workspace: str, evaluation_id: str, shape: Callable[[KeptEvaluation], dict[str, Any]]
) -> Response:
    caller = await admit(request, workspace)
    content = await run_in_threadpool(_shape_panel, caller, evaluation_id, shape)
    return Response(content, media_type="application/json")


def _shape_panel(caller: Caller, evaluation_id: str, shape: Callable[[KeptEvaluation], dict[str, Any]]) -> bytes:
    evaluation = find_evaluation(caller.ports, caller.workspace, evaluation_id)
    with open_evaluation(locate_details(caller.ports, evaluation)) as kept:
        return encode_json({"evalId": evaluation.id} | shape(kept))
