"""An inspection as one HTML page: shares, splits, sizes, findings, and each class drawn over pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined

from atrous.core.class_map import VOID_ID
from atrous.datasets.drawing import css_colour, draw_label, jpeg_uri
from atrous.datasets.facts import sum_pixels
from atrous.datasets.findings import Kind
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.drawing import Draw
    from atrous.datasets.facts import PictureFacts
    from atrous.datasets.findings import Finding
    from atrous.datasets.inspection import Inspection

# Gives image_HWC, BGR, and mask_HW in our ids of one picture.
Load: TypeAlias = "Callable[[PictureFacts], tuple[NDArray[np.uint8], NDArray[np.uint8]]]"

EXAMPLES_OF_A_CLASS = 4
SHOWN_OF_A_KIND = 200
SHOWN_PAIRS = 12
MAX_SIDE_PX = 480
PAIR_KINDS = frozenset({Kind.COPY_ACROSS_SPLITS, Kind.NEAR_DUPLICATE_ACROSS_SPLITS})


@dataclass(frozen=True, slots=True)
class _ClassRow:
    name: str
    colour: str
    share: float
    split_shares: list[float | None]
    pictures: int


@dataclass(frozen=True, slots=True)
class _View:
    caption: str
    uris: list[str]


@dataclass(frozen=True, slots=True)
class _KindGroup:
    kind: str
    is_warning: bool
    count: int
    shown: list[Finding]


def render_page(title: str, inspection: Inspection, class_map: ClassMap, load: Load, draw: Draw) -> str:
    """One page that needs no script, no network and no other file.

    Args:
        title: what was inspected.
        inspection: what was seen.
        class_map: names of the ids in it.
        load: loads a picture again, for the few that are shown.
        draw: draws a mask over a picture; the page's colours are its colours.
    """
    template = files("atrous.datasets").joinpath("inspection.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        title=title,
        inspection=inspection,
        splits=list(Split),
        split_counts=Counter(picture.split for picture in inspection.facts),
        class_rows=_class_rows(inspection.facts, class_map, draw),
        void_share=_void_share(inspection.facts),
        sizes=inspection.count_sizes(),
        kinds=_group_findings(inspection.findings),
        pairs=[_show_pair(pair, load) for pair in _find_pairs(inspection)[:SHOWN_PAIRS]],
        classes=[
            (name, [_show(picture, load, draw) for picture in _choose_examples(inspection.facts, class_id)])
            for class_id, name in enumerate(class_map.names)
        ],
        percent=_percent,
    )


def _class_rows(facts: Sequence[PictureFacts], class_map: ClassMap, draw: Draw) -> list[_ClassRow]:
    pixels = sum_pixels(facts)
    pictures = Counter(class_id for picture in facts for class_id in picture.class_pixels)
    scored = {split: sum(count for class_id, count in pixels[split].items() if class_id != VOID_ID) for split in Split}
    total = sum(scored.values()) or 1
    return [
        _ClassRow(
            name=name,
            colour=css_colour(class_id, draw),
            share=sum(pixels[split][class_id] for split in Split) / total,
            split_shares=[pixels[split][class_id] / scored[split] if scored[split] else None for split in Split],
            pictures=pictures[class_id],
        )
        for class_id, name in enumerate(class_map.names)
    ]


def _void_share(facts: Sequence[PictureFacts]) -> float:
    total = sum(picture.size.pixels for picture in facts)
    return sum(picture.class_pixels.get(VOID_ID, 0) for picture in facts) / (total or 1)


def _group_findings(findings: Sequence[Finding]) -> list[_KindGroup]:
    ordered = sorted(findings, key=lambda finding: (finding.is_warning, finding.kind))
    groups = [(kind, list(group)) for kind, group in groupby(ordered, key=lambda finding: finding.kind)]
    return [_KindGroup(kind, group[0].is_warning, len(group), group[:SHOWN_OF_A_KIND]) for kind, group in groups]


def _choose_examples(facts: Sequence[PictureFacts], class_id: int) -> list[PictureFacts]:
    """Pictures that show most of a class, one of each source first come."""
    showing = [picture for picture in facts if picture.class_pixels.get(class_id)]
    return sorted(showing, key=lambda one: one.class_pixels[class_id] / one.size.pixels, reverse=True)[
        :EXAMPLES_OF_A_CLASS
    ]


def _find_pairs(inspection: Inspection) -> list[tuple[PictureFacts, PictureFacts]]:
    by_name = {picture.name: picture for picture in inspection.facts}
    return [
        (by_name[finding.file], by_name[finding.other_file])
        for finding in inspection.findings
        if finding.kind in PAIR_KINDS and finding.other_file
    ]


def _show_pair(pair: tuple[PictureFacts, PictureFacts], load: Load) -> _View:
    uris = [jpeg_uri(_scale_down(load(picture)[0])) for picture in pair]
    return _View(" and ".join(f"{picture.name} ({picture.split})" for picture in pair), uris)


def _show(picture: PictureFacts, load: Load, draw: Draw) -> _View:
    image_HWC, mask_HW = load(picture)
    small_HWC = _scale_down(image_HWC)
    size = (small_HWC.shape[1], small_HWC.shape[0])
    label_HW = np.asarray(cv2.resize(mask_HW, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    uris = [jpeg_uri(small_HWC), jpeg_uri(draw_label(small_HWC, label_HW, draw))]
    return _View(f"{picture.name} ({picture.split}, {picture.size})", uris)


def _scale_down(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image_HWC.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.2f} %"
