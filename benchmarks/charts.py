"""Bars and lines as plain SVG, readable on light and dark pages. Lengths are in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from atrous.evaluation.svg import draw_line, draw_text, pick_ticks, write_tick
from benchmarks.results import write_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH, MARGIN = 760, 16
TITLE_HEIGHT, LEGEND_HEIGHT, AXIS_HEIGHT = 34, 26, 44
TOP = TITLE_HEIGHT + LEGEND_HEIGHT
BAR_HEIGHT, BAR_GAP, GROUP_GAP = 16, 3, 12
LINES_HEIGHT = 240
LETTER_WIDTH, VALUE_WIDTH = 6.8, 60

# Told apart by the colour-blind, and from the paper in both themes.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:14px;font-weight:600}.unit{fill:#59636e}"
    ".paper{fill:#fff}.grid{stroke:#d1d9e0}.curve{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.unit{fill:#9198a1}.paper{fill:#0d1117}.grid{stroke:#3d444d}}"
)


@dataclass(frozen=True, slots=True)
class Group:
    """Values that stand together, one for each series; None where nothing was measured."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    Attributes:
        title: what is compared.
        axis: what the values are, with their unit.
        series: what each value of a group is.
        groups: in the order in which they are drawn.
        base: what tells the groups apart, for lines.
    """

    title: str
    axis: str
    series: tuple[str, ...]
    groups: tuple[Group, ...]
    base: str = ""


def draw_bars(chart: Chart) -> str:
    """A horizontal bar for each value, those of a group together."""
    return _draw_rows(chart, [[(number,) for number in range(len(chart.series))]] * len(chart.groups))


def draw_stacks(chart: Chart) -> str:
    """A horizontal bar for each group, made of its values one after the other, with their sum."""
    return _draw_rows(chart, [[tuple(range(len(chart.series)))]] * len(chart.groups))


def draw_lines(chart: Chart) -> str:
    """A line for each series over evenly spaced groups."""
    left, right, bottom = MARGIN + VALUE_WIDTH, WIDTH - MARGIN - VALUE_WIDTH / 2, TOP + LINES_HEIGHT
    ticks = pick_ticks(max(_values(chart.groups), default=0.0))
    places = [left + (right - left) * number / max(1, len(chart.groups) - 1) for number in range(len(chart.groups))]

    def height_of(value: float) -> float:
        return bottom - LINES_HEIGHT * value / ticks[-1]

    body = [draw_line(left, height_of(tick), right, height_of(tick)) for tick in ticks]
    body += [draw_text(left - 8, height_of(tick) + 4, write_tick(tick), "end") for tick in ticks]
    body += [draw_text(x, bottom + 18, group.label, "middle") for x, group in zip(places, chart.groups, strict=True)]
    for number, colour in zip(range(len(chart.series)), COLOURS, strict=False):
        values = [(x, group.values[number]) for x, group in zip(places, chart.groups, strict=True)]
        body += _draw_curve([(x, height_of(value)) for x, value in values if value is not None], colour)
    axis = draw_text((left + right) / 2, bottom + 38, f"{chart.axis}, by {chart.base}", "middle", "unit")
    return _frame(chart, [*body, axis], bottom + AXIS_HEIGHT)


def _draw_rows(chart: Chart, bars: Sequence[Sequence[tuple[int, ...]]]) -> str:
    """Horizontal bars.

    Args:
        chart: what is drawn.
        bars: for each group its bars, each told by the numbers of the series that it is made of.
    """
    left = MARGIN + 8 + LETTER_WIDTH * max((len(group.label) for group in chart.groups), default=0)
    sums = [
        sum(filter(None, (group.values[number] for number in bar)))
        for group, group_bars in zip(chart.groups, bars, strict=True)
        for bar in group_bars
    ]
    ticks = pick_ticks(max(sums, default=0.0))
    scale = (WIDTH - MARGIN - VALUE_WIDTH - left) / ticks[-1]
    body: list[str] = []
    y = float(TOP)
    for group, group_bars in zip(chart.groups, bars, strict=True):
        middle = y + (len(group_bars) * (BAR_HEIGHT + BAR_GAP) - BAR_GAP) / 2
        body.append(draw_text(left - 8, middle + 4, group.label, "end"))
        for bar in group_bars:
            body += _draw_bar(group, bar, left, y, scale)
            y += BAR_HEIGHT + BAR_GAP
        y += GROUP_GAP
    grid = [draw_line(left + tick * scale, TOP - 6, left + tick * scale, y) for tick in ticks]
    marks = [draw_text(left + tick * scale, y + 16, write_tick(tick), "middle") for tick in ticks]
    axis = draw_text((left + WIDTH - VALUE_WIDTH) / 2, y + 36, chart.axis, "middle", "unit")
    return _frame(chart, [*grid, *body, *marks, axis], y + AXIS_HEIGHT)


def _draw_bar(group: Group, numbers: Iterable[int], left: float, y: float, scale: float) -> list[str]:
    parts, x, total = [], left, 0.0
    known = [(number, value) for number in numbers if (value := group.values[number]) is not None]
    for number, value in known:
        width = value * scale
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR_HEIGHT}" fill="{COLOURS[number]}"/>'
        )
        x, total = x + width, total + value
    label = write_cell(float(total)) if known else "not measured"
    return [*parts, draw_text(x + 6, y + BAR_HEIGHT - 4, label, "start")]


def _draw_curve(points: Sequence[tuple[float, float]], colour: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    return [f'<polyline class="curve" stroke="{colour}" points="{path}"/>', *dots]


def _frame(chart: Chart, body: Sequence[str], height: float) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height:.0f}" rx="6"/>',
        draw_text(MARGIN, 24, chart.title, "start", "title"),
        *_draw_legend(chart.series),
        *body,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _draw_legend(series: Sequence[str]) -> list[str]:
    parts: list[str] = []
    x = float(MARGIN)
    # One series is told by the title.
    for name, colour in zip(series if len(series) > 1 else (), COLOURS, strict=False):
        parts.append(f'<rect x="{x:.1f}" y="{TITLE_HEIGHT}" width="11" height="11" rx="2" fill="{colour}"/>')
        parts.append(draw_text(x + 16, TITLE_HEIGHT + 10, name, "start"))
        x += 36 + LETTER_WIDTH * len(name)
    return parts


def _values(groups: Iterable[Group]) -> list[float]:
    return [value for group in groups for value in group.values if value is not None]
