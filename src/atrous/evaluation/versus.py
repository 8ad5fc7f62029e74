"""A comparison of two models in the words and tables of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.drawing import draw_label
from atrous.evaluation.views import draw_errors, show

if TYPE_CHECKING:
    from atrous.datasets.drawing import Draw
    from atrous.evaluation.comparison import Comparison, Difference, TwinExample
    from atrous.evaluation.intervals import Interval
    from atrous.evaluation.scores import Scores
    from atrous.evaluation.views import View


@dataclass(frozen=True, slots=True)
class VersusRow:
    """A score of both models; the gain is in points of percent, its direction is `gain`, `loss` or empty if unclear."""

    name: str
    other: float | None
    this: float | None
    gain: str
    interval: str
    direction: str


@dataclass(frozen=True, slots=True)
class VersusPicture:
    """A picture that the two models answer differently."""

    name: str
    caption: str
    views: list[View]


@dataclass(frozen=True, slots=True)
class Versus:
    """What a page tells of a comparison with the model `name`."""

    name: str
    verdict: str
    rows: list[VersusRow]
    pictures: list[VersusPicture]


def describe_versus(name: str, comparison: Comparison, draw: Draw) -> Versus:
    """What a page tells.

    Args:
        name: of the model that is compared against.
        comparison: with that one first.
        draw: draws a mask over a picture.
    """
    return Versus(
        name=name,
        verdict=write_verdict(name, comparison.served),
        rows=list_rows(comparison),
        pictures=[_show_twin(twin, draw) for twin in comparison.examples],
    )


def write_verdict(name: str, difference: Difference) -> str:
    """Which model is better as served, as a sentence."""
    if difference.mean_iou is None:
        return f"Nothing was scored, so there is nothing to tell of {name}."
    points = abs(100 * difference.mean_iou)
    if difference.interval is None:
        return f"mIoU differs by {points:.1f} points, but one picture does not tell how sure that is."
    between = f"95 % interval {write_points(difference.interval)}"
    if not difference.is_clear:
        return f"These pictures do not tell which model is better: mIoU differs by {points:.1f} points ({between})."
    word = "better" if difference.mean_iou > 0 else "worse"
    return f"This model is clearly {word} than {name}: by {points:.1f} points of mIoU ({between})."


def list_rows(comparison: Comparison) -> list[VersusRow]:
    """The means both ways, then the classes that either model has a score of, the largest gain first."""
    first, second = comparison.first, comparison.second
    scored = [one for one in comparison.served.classes if one.first is not None or one.second is not None]
    ordered = sorted(scored, key=lambda one: -(one.difference or 0))
    return [
        _compare_means("mIoU", first.served, second.served, comparison.served),
        _compare_means("mIoU, plain winner", first.plain, second.plain, comparison.plain),
        *(_make_row(one.name, one.first, one.second, one.difference, one.interval) for one in ordered),
    ]


def write_points(interval: Interval | None) -> str:
    """An interval of a difference, in points of percent."""
    return f"[{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]" if interval else ""


def _compare_means(name: str, first: Scores, second: Scores, difference: Difference) -> VersusRow:
    return _make_row(name, first.mean_iou, second.mean_iou, difference.mean_iou, difference.interval)


def _make_row(
    name: str, other: float | None, this: float | None, difference: float | None, interval: Interval | None
) -> VersusRow:
    is_clear = interval is not None and not interval.low <= 0 <= interval.high
    direction = ("gain" if difference > 0 else "loss") if difference and is_clear else ""
    gain = "n/a" if difference is None else f"{100 * difference:+.1f}"
    return VersusRow(name, other, this, gain, write_points(interval), direction)


def _show_twin(twin: TwinExample, draw: Draw) -> VersusPicture:
    this, other = twin.second, twin.first
    image_HWC, label_HW = this.image_HWC, this.label_HW
    views = [
        show("Label", draw_label(image_HWC, label_HW, draw)),
        show("Other model", draw(image_HWC, other.predicted_HW)),
        show("This model", draw(image_HWC, this.predicted_HW)),
        show("Errors of the other", draw_errors(image_HWC, label_HW, other.predicted_HW)),
        show("Errors of this one", draw_errors(image_HWC, label_HW, this.predicted_HW)),
    ]
    caption = (
        f"{100 * twin.share:.1f} % answered differently, mIoU {100 * other.mean_iou:.1f} against "
        f"{100 * this.mean_iou:.1f} %"
    )
    return VersusPicture(this.name, caption, views)
