"""Charts of an evaluation as SVG that takes its colours from the page around it. Lengths are in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from atrous.evaluation.svg import draw_line, draw_path, draw_text, frame, pick_ticks, write_tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atrous.evaluation.calibration import Reliability

LEFT, RIGHT, TOP, BOTTOM = 48, 14, 14, 44
CURVE_WIDTH, CURVE_HEIGHT = 430, 230
SQUARE_SIDE = 340
LETTER_WIDTH, LONGEST_NAME = 6.4, 24
# Cells wide enough for a number, for up to so many classes; then smaller ones without.
CELL_SIDE, MOST_WRITTEN, LEAST_CELL_SIDE, MATRIX_SIDE = 40, 24, 5, 840
SHOWN_SHARE, STRONG_SHARE = 0.0005, 0.6
RANGE_WIDTH, RANGE_HEIGHT = 120, 12


@dataclass(frozen=True, slots=True)
class Plot:
    """The area between two axes that begin at 0."""

    width: float
    height: float
    x_ticks: tuple[float, ...]
    y_ticks: tuple[float, ...]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """From figures to pixels of the drawing."""
        across, up = self.width - LEFT - RIGHT, self.height - TOP - BOTTOM
        return LEFT + across * x / self.x_ticks[-1], TOP + up * (1 - y / self.y_ticks[-1])

    def draw_axes(self, x_axis: str, y_axis: str) -> list[str]:
        """Grid, ticks and what they count."""
        right, bottom = self.place(self.x_ticks[-1], 0)
        rows = [self.place(0, tick)[1] for tick in self.y_ticks]
        columns = [self.place(tick, 0)[0] for tick in self.x_ticks]
        middle = (TOP + bottom) / 2
        return [
            *(draw_line(LEFT, y, right, y) for y in rows),
            *(draw_text(LEFT - 6, y + 4, write_tick(tick), "end") for y, tick in zip(rows, self.y_ticks, strict=True)),
            *(
                draw_text(x, bottom + 16, write_tick(tick), "middle")
                for x, tick in zip(columns, self.x_ticks, strict=True)
            ),
            draw_text((LEFT + right) / 2, self.height - 8, x_axis, "middle", "unit"),
            f'<g transform="rotate(-90 12 {middle:.0f})">{draw_text(12, middle, y_axis, "middle", "unit")}</g>',
        ]


def draw_curve(
    title: str,
    points: Sequence[tuple[float, float]],
    *,
    axes: tuple[str, str],
    marked: tuple[float, float] | None = None,
) -> str:
    """A line through figures that are 0 or more, in order of x.

    Args:
        title: what is drawn.
        points: x and y.
        axes: what x and y count, with units.
        marked: the point to look at.
    """
    x_ticks = pick_ticks(max((x for x, _ in points), default=0))
    y_ticks = pick_ticks(max((y for _, y in points), default=0))
    plot = Plot(CURVE_WIDTH, CURVE_HEIGHT, tuple(x_ticks), tuple(y_ticks))
    places = [plot.place(*point) for point in points]
    parts = [*plot.draw_axes(*axes), draw_path(places, "curve")]
    if len(places) == 1:
        parts.append(_dot(*places[0], "dot"))
    if marked is not None:
        parts.append(_dot(*plot.place(*marked), "dot", 4.5))
    alternative = f"From {points[0][1]:.3g} to {points[-1][1]:.3g} over {len(points)} points." if points else "Empty."
    return frame(title, parts, width=plot.width, height=plot.height, alternative=alternative)


def draw_reliability(title: str, curve: Reliability, adjusted: Reliability | None = None) -> str:
    """How often the model is right, by how sure it is; on the dashed line it would be as sure as it should.

    Args:
        title: what is drawn.
        curve: of confidence as it is.
        adjusted: of confidence at the model's temperature, drawn fainter.
    """
    ticks = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    plot = Plot(SQUARE_SIDE, SQUARE_SIDE, ticks, ticks)
    parts = plot.draw_axes("confidence", "share that is right")
    parts.append(draw_path([plot.place(0, 0), plot.place(1, 1)], "ideal"))
    if adjusted:
        parts += _draw_bins(plot, adjusted, "quiet-")
    parts += _draw_bins(plot, curve, "")
    told = "; ".join(f"{confidence:.2f}: {accuracy:.2f}" for confidence, accuracy, _ in _list_bins(curve))
    alternative = f"Confidence and share that is right: {told}."
    return frame(title, parts, width=plot.width, height=plot.height, alternative=alternative)


def draw_matrix(title: str, names: Sequence[str], counts_KK: NDArray[np.int64]) -> str:
    """A confusion matrix as a heat map; each cell is the share of its row.

    Args:
        title: what is drawn.
        names: of the K classes.
        counts_KK: pixels; rows are labels, columns are predictions.
    """
    short = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    side = CELL_SIDE if len(names) <= MOST_WRITTEN else max(LEAST_CELL_SIDE, MATRIX_SIDE // len(names))
    margin = 20 + LETTER_WIDTH * max(map(len, short))
    parts = [
        draw_text(margin - 8, margin - 24, "predicted →", "end", "unit"),
        draw_text(margin - 8, margin - 8, "label ↓", "end", "unit"),
    ]
    for number, name in enumerate(short if side >= 12 else []):
        middle = margin + (number + 0.5) * side
        parts.append(draw_text(margin - 8, middle + 4, name, "end"))
        parts.append(
            f'<g transform="rotate(-90 {middle + 4:.1f} {margin - 8:.1f})">'
            f"{draw_text(middle + 4, margin - 8, name, 'start')}</g>"
        )
    for row, counts in enumerate(counts_KK.tolist()):
        for column, count in enumerate(counts):
            share = count / max(1, sum(counts))
            if share >= SHOWN_SHARE:
                told = f"{names[row]} predicted as {names[column]}: {100 * share:.1f} %, {count:,} pixels"
                cell = _draw_cell(margin + column * side, margin + row * side, side, share, is_hit=row == column)
                parts.append(f"<g>{cell}<title>{escape(told)}</title></g>")
    inner = side * len(names)
    parts.append(f'<rect class="rim" x="{margin:.1f}" y="{margin:.1f}" width="{inner}" height="{inner}"/>')
    whole = margin + inner + 2
    return frame(title, parts, width=whole, height=whole, alternative="The largest mix-ups are listed below it.")


def draw_range(value: float, low: float | None = None, high: float | None = None) -> str:
    """A share of 1 as a bar for a cell of a table, with its interval as a whisker; the number stands beside it."""
    middle = RANGE_HEIGHT / 2
    parts = [
        f'<rect class="rail" y="{middle - 2}" width="{RANGE_WIDTH}" height="4" rx="2"/>',
        f'<rect class="bar" y="{middle - 2}" width="{RANGE_WIDTH * value:.1f}" height="4" rx="2"/>',
    ]
    if low is not None and high is not None:
        parts.append(draw_line(RANGE_WIDTH * low, middle, RANGE_WIDTH * high, middle, "whisker"))
        parts += [draw_line(x, 1, x, RANGE_HEIGHT - 1, "whisker") for x in (RANGE_WIDTH * low, RANGE_WIDTH * high)]
    return (
        f'<svg class="range" viewBox="-1 0 {RANGE_WIDTH + 2} {RANGE_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )


def _draw_bins(plot: Plot, curve: Reliability, prefix: str) -> list[str]:
    bins = _list_bins(curve)
    places = [plot.place(confidence, accuracy) for confidence, accuracy, _ in bins]
    whole = max(1, sum(pixels for _, _, pixels in bins))
    # The area of a dot is its share, as what few pixels show is not worth much.
    dots = [
        _dot(x, y, f"{prefix}dot", 2.5 + 9 * (pixels / whole) ** 0.5)
        for (x, y), (_, _, pixels) in zip(places, bins, strict=True)
    ]
    return [draw_path(places, f"{prefix}curve"), *dots]


def _list_bins(curve: Reliability) -> list[tuple[float, float, int]]:
    return [
        (one.confidence, one.accuracy, one.pixels)
        for one in curve.bins
        if one.confidence is not None and one.accuracy is not None
    ]


def _draw_cell(x: float, y: float, side: float, share: float, *, is_hit: bool) -> str:
    style = "hit" if is_hit else "miss"
    # A mix-up of a few percent is worth seeing; a hit of a few percent is not more than that.
    depth = share if is_hit else share**0.6
    cell = f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{side}" height="{side}" fill-opacity="{depth:.3f}"/>'
    if side < CELL_SIDE:
        return cell
    style = "cell strong" if depth > STRONG_SHARE else "cell"
    return cell + draw_text(x + side / 2, y + side / 2 + 4, f"{100 * share:.1f}", "middle", style)


def _dot(x: float, y: float, style: str, radius: float = 3) -> str:
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
