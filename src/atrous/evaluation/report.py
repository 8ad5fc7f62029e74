"""An evaluation as a page for people and as JSON for programs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined

from atrous.core.class_map import BACKGROUND_ID, VOID_ID
from atrous.evaluation.scores import RULE, ClassScores

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.evaluation.evaluate import Evaluation
    from atrous.evaluation.examples import Example

# From image_HWC and mask_HW (class ids) to the picture with its mask drawn over it, BGR uint8, same size.
Draw: TypeAlias = "Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]]"

JPEG_QUALITY = 82
STRIPE_PX = 8


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated.

    Attributes:
        version: `project/number` that the pictures come from.
        model: id of the model, as users write it.
        split: train, valid or test.
        date: when, with its time zone.
    """

    version: str
    model: str
    split: str
    date: datetime

    def as_json(self) -> dict[str, str]:
        """Plain values; the date in ISO 8601."""
        return {"version": self.version, "model": self.model, "split": self.split, "date": self.date.isoformat()}


@dataclass(frozen=True, slots=True)
class _ClassRow:
    served: ClassScores
    plain: ClassScores
    share: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class _Cell:
    pixels: int
    share: float
    is_hit: bool


@dataclass(frozen=True, slots=True)
class _MatrixRow:
    name: str
    cells: list[_Cell]


@dataclass(frozen=True, slots=True)
class _Picture:
    name: str
    mean_iou: float
    views: list[tuple[str, str]]


def report_json(evaluation: Evaluation, about: About) -> dict[str, Any]:
    """What was evaluated and all its scores, each with the rule, as plain values."""
    return about.as_json() | evaluation.as_json()


def write_json(path: Path, evaluation: Evaluation, about: About) -> None:
    """Write `report_json` to a file, in place of one that was there."""
    text = json.dumps(report_json(evaluation, about), indent=2, ensure_ascii=False, allow_nan=False)
    _replace_text(path, text + "\n")


def write_html(path: Path, evaluation: Evaluation, about: About, draw: Draw) -> None:
    """Write `render_html` to a file, in place of one that was there."""
    _replace_text(path, render_html(evaluation, about, draw))


def render_html(evaluation: Evaluation, about: About, draw: Draw) -> str:
    """One page that needs no script, no network and no other file.

    Args:
        evaluation: the scores and the small copies of pictures.
        about: what was evaluated.
        draw: draws a mask over a picture; the page's colours are its colours.
    """
    template = files("atrous.evaluation").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    examples = (("Lowest mIoU", evaluation.worst), ("Highest mIoU", evaluation.best))
    return environment.from_string(template).render(
        about=about,
        evaluation=evaluation,
        rule=RULE,
        percent=_percent,
        number=_number,
        date_text=about.date.strftime("%Y-%m-%d %H:%M %Z").strip(),
        duration_text=_duration(evaluation.seconds),
        class_rows=_class_rows(evaluation, draw),
        matrix_rows=_matrix_rows(evaluation),
        groups=[(title, [_picture(example, draw) for example in group]) for title, group in examples if group],
    )


def _class_rows(evaluation: Evaluation, draw: Draw) -> list[_ClassRow]:
    scored_px = int(evaluation.served_KK.sum())
    return [
        _ClassRow(served, plain, served.label_pixels / scored_px if scored_px else None, _colour(class_id, draw))
        for class_id, (served, plain) in enumerate(
            zip(evaluation.served.classes, evaluation.plain.classes, strict=True)
        )
    ]


def _matrix_rows(evaluation: Evaluation) -> list[_MatrixRow]:
    rows: list[_MatrixRow] = []
    for label_id, of_class in enumerate(evaluation.served.classes):
        pixels_K: list[int] = evaluation.served_KK[label_id].tolist()
        whole = max(1, of_class.label_pixels)
        cells = [_Cell(pixels, pixels / whole, is_hit=label_id == i) for i, pixels in enumerate(pixels_K)]
        rows.append(_MatrixRow(of_class.name, cells))
    return rows


def _picture(example: Example, draw: Draw) -> _Picture:
    views = [
        ("Picture", _jpeg_uri(example.image_HWC)),
        ("Label", _jpeg_uri(_draw_label(example.image_HWC, example.label_HW, draw))),
        ("Prediction", _jpeg_uri(draw(example.image_HWC, example.predicted_HW))),
    ]
    return _Picture(example.name, example.mean_iou, views)


def _draw_label(image_HWC: NDArray[np.uint8], label_HW: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    """The label with void as grey stripes: void is no class, so `draw` has no colour for it."""
    void_HW = label_HW == VOID_ID
    drawn_HWC = draw(image_HWC, np.where(void_HW, np.uint8(BACKGROUND_ID), label_HW)).copy()
    rows_H1, columns_1W = np.ogrid[: label_HW.shape[0], : label_HW.shape[1]]
    stripes_HW = (rows_H1 + columns_1W) // STRIPE_PX % 2 == 0
    drawn_HWC[void_HW & stripes_HW] = 150
    drawn_HWC[void_HW & ~stripes_HW] = 90
    return drawn_HWC


def _colour(class_id: int, draw: Draw) -> str:
    """How a class looks when it is drawn over white."""
    tile_HWC = draw(np.full((4, 4, 3), 255, np.uint8), np.full((4, 4), class_id, np.uint8))
    blue, green, red = tile_HWC[2, 2].tolist()
    return f"rgb({red} {green} {blue})"


def _jpeg_uri(image_HWC: NDArray[np.uint8]) -> str:
    _, jpeg = cv2.imencode(".jpg", image_HWC, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _replace_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
