"""What an evaluation's page shows, panel by panel; shares are 0 to 1, and null where there is nothing to divide by.

Axes: K classes, T thresholds in percent, P pictures.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from atrous.evaluation.summary import find_best_percent, number_or_none, summarise
from atrous.evaluation.sweep import PERCENTS, find_optimum, mean_foreground, rate_classes
from atrous.server.shapes.evaluations import shape_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from atrous.evaluation.kept import KeptEvaluation
    from atrous.evaluation.sweep import Rates
    from atrous.evaluation.tally import Named

TASK_TYPE = "semantic-segmentation"
NO_CLUSTERS = "this server makes no embeddings of pictures, so it has no groups of them; read image-predictions instead"


class Figures(BaseModel):
    """Pixels found and wrong at one threshold."""

    precision: float | None
    recall: float | None
    f1: float | None


class ClassFigures(Figures):
    """One class at the threshold in force; `optimalThreshold` is where its own f1 is highest."""

    classID: int
    iou: float | None
    optimalThreshold: float | None


class NamedClassFigures(ClassFigures):
    """The same with its name."""

    className: str


class SplitFigures(Figures):
    """A split at the threshold in force; `optimalThreshold` is where its own f1 is highest."""

    mIoU: float | None
    images: int
    optimalThreshold: float | None
    perClass: dict[str, ClassFigures]


class MapResults(BaseModel):
    """Scores by split."""

    evalId: str
    taskType: str
    rule: str
    confidenceThreshold: float
    splits: dict[str, SplitFigures]


class ClassPerformance(BaseModel):
    """Scores by class."""

    evalId: str
    taskType: str
    split: str
    confidenceThreshold: float
    classes: list[NamedClassFigures]


class ConfusionMatrix(BaseModel):
    """Pixels by label (rows) and prediction (columns)."""

    evalId: str
    split: str
    confidenceThreshold: float
    classes: list[str]
    matrix: list[list[int]]


class Curve(BaseModel):
    """Scores by threshold, `0.00` to `1.00`, and those at the threshold of the highest f1."""

    perThreshold: dict[str, Figures]
    optimalThreshold: float | None
    optimalMetrics: Figures | None


class SplitCurve(Curve):
    """The same with those of each class."""

    perClass: dict[str, Curve]


class ConfidenceSweep(BaseModel):
    """Scores by threshold, split by split."""

    evalId: str
    splits: dict[str, SplitCurve]


class VectorAnalysis(BaseModel):
    """Groups of pictures that look alike, of which there are none, and why."""

    evalId: str
    clusters: list[dict[str, Any]]
    reason: str


class PictureStats(Figures):
    """Pixels of all classes but background; a mix-up of two classes is a false positive and a false negative."""

    truePositives: int
    falsePositives: int
    falseNegatives: int
    mIoU: float | None


class Cluster(BaseModel):
    """The group that a picture is in: none."""

    id: None


class PicturePrediction(BaseModel):
    """A picture; `imageId` is empty if it was deleted since."""

    imageId: str
    imageName: str
    split: str
    stats: PictureStats
    cluster: Cluster


class PicturePredictions(BaseModel):
    """A page of pictures, the worst mIoU first, those without any last."""

    evalId: str
    split: str
    confidenceThreshold: float
    totalImages: int
    offset: int
    limit: int
    images: list[PicturePrediction]


class RecommendationShape(BaseModel):
    """One thing to do; `values` are the numbers of the message."""

    type: str
    message: str
    classes: list[str]
    values: dict[str, float]


class RecommendationSummary(Figures):
    """What the recommendations were read from; `confidenceThreshold` is in percent."""

    confidenceThreshold: int
    split: str
    generatedAt: str
    count: int


class RecommendationList(BaseModel):
    """The gravest first."""

    summary: RecommendationSummary
    items: list[RecommendationShape]


class Recommendations(BaseModel):
    """What to do next about a model."""

    evalId: str
    generated: bool
    generatedAt: str
    recommendations: RecommendationList


def shape_map_results(kept: KeptEvaluation) -> dict[str, Any]:
    """The values of MapResults but `evalId`, as of all functions here."""
    return {
        "taskType": TASK_TYPE,
        "rule": kept.about["rule"],
        "confidenceThreshold": kept.about["percent"] / 100,
        "splits": {split: _shape_split(kept, split) for split in kept.splits},
    }


def shape_classes(kept: KeptEvaluation, split: str) -> dict[str, Any]:
    """The values of ClassPerformance."""
    rates, percent = rate_classes(kept.read_counts(split)), kept.about["percent"]
    return {
        "taskType": TASK_TYPE,
        "split": split,
        "confidenceThreshold": percent / 100,
        "classes": [
            {"className": name} | _shape_class(rates, class_id, percent)
            for class_id, name in enumerate(kept.about["classes"])
        ],
    }


def shape_matrix(kept: KeptEvaluation, splits: Sequence[str], percent: int) -> dict[str, Any]:
    """The values of ConfusionMatrix but `split`: of several splits together."""
    matrix_KK = np.sum([kept.read_counts(split)[:, :, percent] for split in splits], axis=0)
    return {"confidenceThreshold": percent / 100, "classes": kept.about["classes"], "matrix": matrix_KK.tolist()}


def shape_sweep(kept: KeptEvaluation) -> dict[str, Any]:
    """The values of ConfidenceSweep."""
    return {"splits": {split: _shape_curves(kept, split) for split in kept.splits}}


def shape_no_vectors() -> dict[str, Any]:
    """The values of VectorAnalysis."""
    return {"clusters": [], "reason": NO_CLUSTERS}


def shape_pictures(
    kept: KeptEvaluation, splits: Sequence[str], percent: int, *, offset: int, limit: int
) -> dict[str, Any]:
    """The values of PicturePredictions but `split`: of several splits together."""
    figures_P = np.concatenate([kept.read_figures(split, percent) for split in splits])
    pictures = [(split, picture) for split in splits for picture in kept.list_pictures(split)]
    # NaN, which is for pictures without anything to find, is sorted to the end.
    worst_first_P = np.argsort(figures_P["mean_iou"], kind="stable")
    page: list[int] = worst_first_P[offset : offset + limit].tolist()
    return {
        "confidenceThreshold": percent / 100,
        "totalImages": len(pictures),
        "offset": offset,
        "limit": limit,
        "images": [_shape_picture(*pictures[i], figures_P[i]) for i in page],
    }


def shape_recommendations(kept: KeptEvaluation) -> dict[str, Any]:
    """The values of Recommendations."""
    about = kept.about
    finished = shape_time(datetime.fromisoformat(about["finished"]))
    figures: Mapping[str, float | None] = about["summary"]["metrics"]
    return {
        "generated": True,
        "generatedAt": finished,
        "recommendations": {
            "summary": {
                "confidenceThreshold": about["percent"],
                "split": about["headline"],
                "generatedAt": finished,
                "count": len(about["recommendations"]),
                **{name: figures[name] for name in ("f1", "precision", "recall")},
            },
            "items": about["recommendations"],
        },
    }


def _shape_split(kept: KeptEvaluation, split: str) -> dict[str, Any]:
    rates, percent = rate_classes(kept.read_counts(split)), kept.about["percent"]
    return summarise(rates, percent) | {
        "images": len(kept.list_pictures(split)),
        "optimalThreshold": _as_share(find_best_percent(rates)),
        "perClass": {
            name: _shape_class(rates, class_id, percent) for class_id, name in enumerate(kept.about["classes"])
        },
    }


def _shape_class(rates: Rates, class_id: int, percent: int) -> dict[str, Any]:
    return {
        "classID": class_id,
        "iou": number_or_none(rates.iou_KT[class_id, percent]),
        "precision": number_or_none(rates.precision_KT[class_id, percent]),
        "recall": number_or_none(rates.recall_KT[class_id, percent]),
        "f1": number_or_none(rates.f1_KT[class_id, percent]),
        "optimalThreshold": _as_share(find_optimum(rates.f1_KT[class_id])),
    }


def _shape_curves(kept: KeptEvaluation, split: str) -> dict[str, Any]:
    rates = rate_classes(kept.read_counts(split))
    overall = _shape_curve(*map(mean_foreground, (rates.precision_KT, rates.recall_KT, rates.f1_KT)))
    per_class = {
        name: _shape_curve(rates.precision_KT[class_id], rates.recall_KT[class_id], rates.f1_KT[class_id])
        for class_id, name in enumerate(kept.about["classes"])
    }
    return overall | {"perClass": per_class}


def _shape_curve(
    precision_T: NDArray[np.float64], recall_T: NDArray[np.float64], f1_T: NDArray[np.float64]
) -> dict[str, Any]:
    def shape(percent: int) -> dict[str, float | None]:
        curves = {"precision": precision_T, "recall": recall_T, "f1": f1_T}
        return {name: number_or_none(curve_T[percent]) for name, curve_T in curves.items()}

    optimum = find_optimum(f1_T)
    return {
        "perThreshold": {f"{percent / 100:.2f}": shape(percent) for percent in PERCENTS},
        "optimalThreshold": _as_share(optimum),
        "optimalMetrics": None if optimum is None else shape(optimum),
    }


def _shape_picture(split: str, picture: Named, figures: Any) -> dict[str, Any]:
    return {
        "imageId": picture.id,
        "imageName": picture.name,
        "split": split,
        "stats": _shape_stats(figures),
        "cluster": {"id": None},
    }


def _shape_stats(figures: Any) -> dict[str, Any]:
    found, wrong, missed = (int(figures[name]) for name in ("found", "wrong", "missed"))
    return {
        "truePositives": found,
        "falsePositives": wrong,
        "falseNegatives": missed,
        "precision": _divide(found, found + wrong),
        "recall": _divide(found, found + missed),
        "f1": _divide(2 * found, 2 * found + wrong + missed),
        "mIoU": number_or_none(figures["mean_iou"]),
    }


def _divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _as_share(percent: int | None) -> float | None:
    return None if percent is None else percent / 100
