"""An evaluation as one HTML page that needs no script, no network and no other file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from atrous.evaluation.boundaries import BOUNDARY_RULE
from atrous.evaluation.charts import draw_curve, draw_matrix, draw_reliability
from atrous.evaluation.label_issues import SURE
from atrous.evaluation.scores import RULE
from atrous.evaluation.sizes import SIZE_RULE
from atrous.evaluation.tables import list_classes, list_details, list_mix_ups, list_networks, list_sizes
from atrous.evaluation.versus import describe_versus
from atrous.evaluation.views import show_crop, show_example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.datasets.drawing import Draw
    from atrous.evaluation.about import About, Epoch
    from atrous.evaluation.comparison import Comparison
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.intervals import Interval
    from atrous.evaluation.label_issues import IssueCrop, IssueList
    from atrous.evaluation.scores import Scores
    from atrous.evaluation.views import View


@dataclass(frozen=True, slots=True)
class _Picture:
    name: str
    mean_iou: float
    views: list[View]


@dataclass(frozen=True, slots=True)
class _Doubt:
    crop: IssueCrop
    labelled: str
    predicted: str
    views: list[View]


def render_page(
    evaluation: Evaluation,
    about: About,
    draw: Draw,
    *,
    issues: IssueList | None = None,
    comparison: Comparison | None = None,
    draw_crop: Draw | None = None,
) -> str:
    """One page for people.

    Args:
        evaluation: the scores and the small copies of pictures.
        about: what was evaluated.
        draw: draws a mask over a picture; the page's colours are its colours.
        issues: where labels are in doubt; None if nobody looked.
        comparison: with the model `about.against`; None if there is none.
        draw_crop: as `draw`, for pictures too small for names of classes; `draw` itself if None.
    """
    names = [of_class.name for of_class in evaluation.served.classes]
    return _open_template().render(
        about=about,
        evaluation=evaluation,
        rule=RULE,
        date_text=about.date.strftime("%Y-%m-%d %H:%M %Z").strip(),
        duration_text=_duration(evaluation.seconds),
        scored_classes=sum(of_class.iou is not None for of_class in evaluation.served.classes),
        served_span=_find_span(evaluation.served),
        plain_span=_find_span(evaluation.plain),
        versus=describe_versus(about.against, comparison, draw) if comparison else None,
        curves=_draw_curves(about.epochs),
        class_rows=list_classes(evaluation, draw),
        matrix=draw_matrix("Confusion matrix", names, evaluation.served_KK),
        mix_ups=list_mix_ups(evaluation),
        reliability=_draw_reliability(evaluation),
        sizes=list_sizes(evaluation),
        size_rule=SIZE_RULE,
        boundary_rule=BOUNDARY_RULE,
        details=list_details(evaluation),
        groups=_group_pictures(evaluation, draw),
        doubts=[_show_doubt(crop, names, draw_crop or draw) for crop in issues.crops()] if issues else [],
        issues=issues.issues() if issues else None,
        sure=SURE,
        networks=list_networks(about),
    )


def _open_template() -> Any:
    template = files("atrous.evaluation").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "percent": _percent, "number": _number, "span": _span, "plain": _plain, "megabytes": _megabytes,
    }  # fmt: skip
    return environment.from_string(template)


def _find_span(scores: Scores) -> Interval | None:
    return scores.intervals.mean_iou if scores.intervals else None


def _draw_curves(epochs: Sequence[Epoch]) -> list[str]:
    if not epochs:
        return []
    loss = draw_curve("Loss by epoch", [(one.number, one.loss) for one in epochs], axes=("epoch", "loss"))
    scored = [(float(one.number), one.mean_iou) for one in epochs if one.mean_iou is not None]
    if not scored:
        return [loss]
    best = max(scored, key=lambda point: point[1])
    return [loss, draw_curve("mIoU on valid by epoch", scored, axes=("epoch", "mIoU on valid"), marked=best)]


def _draw_reliability(evaluation: Evaluation) -> str:
    calibration = evaluation.calibration
    if calibration.before.ece is None:
        return ""
    return draw_reliability("Share that is right by confidence", calibration.before, calibration.after)


def _group_pictures(evaluation: Evaluation, draw: Draw) -> list[tuple[str, list[_Picture]]]:
    groups = (
        ("Lowest mIoU", evaluation.worst),
        ("Typical: nearest to the median", evaluation.typical),
        ("Highest mIoU", evaluation.best),
    )
    return [
        (title, [_Picture(example.name, example.mean_iou, show_example(example, draw)) for example in group])
        for title, group in groups
        if group
    ]


def _show_doubt(crop: IssueCrop, names: Sequence[str], draw: Draw) -> _Doubt:
    return _Doubt(crop, names[crop.issue.labelled], names[crop.issue.predicted], show_crop(crop, draw))


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f}"


def _span(interval: Interval | None) -> str:
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]" if interval else ""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _megabytes(count: int | None) -> str:
    return "n/a" if count is None else f"{count / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
