"""Rows of the tables of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import BACKGROUND_ID
from atrous.datasets.drawing import css_colour
from atrous.evaluation.charts import draw_range
from atrous.evaluation.sizes import BANDS

if TYPE_CHECKING:
    from atrous.datasets.drawing import Draw
    from atrous.evaluation.about import About, Network, Speed
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.intervals import Interval
    from atrous.evaluation.scores import ClassScores
    from atrous.evaluation.sizes import BandScore

MIX_UPS = 5


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class: its scores both ways, share of the scored pixels, colour, and the interval of its IoU as served."""

    served: ClassScores
    plain: ClassScores
    share: float | None
    colour: str
    interval: Interval | None
    chart: str


@dataclass(frozen=True, slots=True)
class MixUp:
    """Pixels of one class that were taken for another, and their share of the first one's labelled pixels."""

    label: str
    predicted: str
    share: float
    pixels: int


@dataclass(frozen=True, slots=True)
class SizeRow:
    """A band of size: share of its objects that were found, and its recall as a bar."""

    name: str
    band: BandScore
    found: float | None
    chart: str


@dataclass(frozen=True, slots=True)
class DetailRow:
    """A class by size of object and at boundaries; None where nothing was scored."""

    name: str
    recalls: list[float | None]
    near_iou: float | None
    boundary_f1: float | None


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One of the model's networks and how quick it is, if it was timed."""

    network: Network
    speed: Speed | None


def list_classes(evaluation: Evaluation, draw: Draw) -> list[ClassRow]:
    """A row for each class, in order of ids."""
    scored_px = int(evaluation.served_KK.sum())
    spans = evaluation.served.intervals
    return [
        ClassRow(
            served,
            plain,
            share=served.label_pixels / scored_px if scored_px else None,
            colour=css_colour(class_id, draw),
            interval=spans.classes[class_id] if spans else None,
            chart=_draw_share(served.iou, spans.classes[class_id] if spans else None),
        )
        for class_id, (served, plain) in enumerate(
            zip(evaluation.served.classes, evaluation.plain.classes, strict=True)
        )
    ]


def list_mix_ups(evaluation: Evaluation) -> list[MixUp]:
    """The largest, most pixels first."""
    names = [of_class.name for of_class in evaluation.served.classes]
    wrong_KK = evaluation.served_KK.copy()
    np.fill_diagonal(wrong_KK, 0)
    label_K = evaluation.served_KK.sum(axis=1)
    places: list[int] = np.argsort(-wrong_KK, axis=None, kind="stable")[:MIX_UPS].tolist()
    pairs = [divmod(place, len(names)) for place in places]
    return [
        MixUp(names[label], names[predicted], float(pixels / label_K[label]), int(pixels))
        for label, predicted in pairs
        if (pixels := wrong_KK[label, predicted])
    ]


def list_sizes(evaluation: Evaluation) -> list[SizeRow]:
    """A row for each band of size, small to large; none where there is no object."""
    bands = evaluation.sizes.bands
    if not any(band.objects for band in bands):
        return []
    return [
        SizeRow(name, band, band.found_objects / band.objects if band.objects else None, _draw_share(band.recall))
        for (name, _), band in zip(BANDS, bands, strict=True)
    ]


def list_details(evaluation: Evaluation) -> list[DetailRow]:
    """A row for each class that has objects or boundaries."""
    rows = [
        DetailRow(
            of_class.name,
            [band.recall for band in evaluation.sizes.classes[class_id - 1].bands]
            if class_id != BACKGROUND_ID
            else [None] * len(BANDS),
            of_class.iou,
            of_class.f1,
        )
        for class_id, of_class in enumerate(evaluation.boundaries.classes)
    ]
    return [row for row in rows if {*row.recalls, row.near_iou, row.boundary_f1} != {None}]


def list_networks(about: About) -> list[NetworkRow]:
    """A row for each of the model's networks."""
    speeds = {speed.precision: speed for speed in about.speeds}
    return [NetworkRow(network, speeds.get(network.precision)) for network in about.networks]


def _draw_share(share: float | None, interval: Interval | None = None) -> str:
    if share is None:
        return ""
    return draw_range(share, interval.low, interval.high) if interval else draw_range(share)
