"""An evaluation as a page for people and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from atrous.datasets.drawing import css_colour, draw_label, jpeg_uri
from atrous.evaluation.scores import RULE, ClassScores

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from atrous.datasets.drawing import Draw
    from atrous.evaluation.evaluate import Evaluation
    from atrous.evaluation.examples import Example


@dataclass(frozen=True, slots=True)
class Network:
    """One of a model's networks, as it was scored when the model was published.

    Attributes:
        precision: `fp32` or `int8`.
        mean_iou: on valid by plain winner; None if unknown.
        size_bytes: of its file; None if unknown.
    """

    precision: str
    mean_iou: float | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated.

    Attributes:
        version: `project/number` that the pictures come from.
        model: id of the model, as users write it.
        split: train, valid or test.
        date: when, with its time zone.
        networks: of the model; the first is the one that was evaluated.
        tile: `off`, or how large pictures were cut: `auto` or the side of a tile in pixels.
        tile_overlap: share of a tile that its neighbour saw too; None if they were not cut.
        int8_reason: why there is none in 8 bits, as a sentence; empty if there is one, or nothing is known.
    """

    version: str
    model: str
    split: str
    date: datetime
    networks: tuple[Network, ...] = ()
    int8_reason: str = ""
    tile: str = "off"
    tile_overlap: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values; the date in ISO 8601."""
        return asdict(self) | {"date": self.date.isoformat(), "networks": [asdict(one) for one in self.networks]}


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
        megabytes=_megabytes,
        date_text=about.date.strftime("%Y-%m-%d %H:%M %Z").strip(),
        duration_text=_duration(evaluation.seconds),
        class_rows=_class_rows(evaluation, draw),
        matrix_rows=_matrix_rows(evaluation),
        groups=[(title, [_picture(example, draw) for example in group]) for title, group in examples if group],
    )


def _class_rows(evaluation: Evaluation, draw: Draw) -> list[_ClassRow]:
    scored_px = int(evaluation.served_KK.sum())
    return [
        _ClassRow(served, plain, served.label_pixels / scored_px if scored_px else None, css_colour(class_id, draw))
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
        ("Picture", jpeg_uri(example.image_HWC)),
        ("Label", jpeg_uri(draw_label(example.image_HWC, example.label_HW, draw))),
        ("Prediction", jpeg_uri(draw(example.image_HWC, example.predicted_HW))),
    ]
    return _Picture(example.name, example.mean_iou, views)


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f}"


def _megabytes(count: int | None) -> str:
    return "n/a" if count is None else f"{count / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _replace_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
