"""Pieces of SVG charts: texts, lines, boxes, round ticks. Lengths are in pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_TICKS = 6


def draw_line(x1: float, y1: float, x2: float, y2: float, style: str = "grid") -> str:
    """A straight line of a CSS class."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def draw_text(x: float, y: float, words: str, anchor: str, style: str = "label") -> str:
    """Words of a CSS class; `anchor` is `start`, `middle` or `end`."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def draw_path(points: Iterable[tuple[float, float]], style: str) -> str:
    """An open line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{path}"/>'


def frame(title: str, parts: Iterable[str], *, width: float, height: float, alternative: str = "") -> str:
    """A chart that fills the width it is given, with its text alternative; colours are those of the page.

    Args:
        title: what is drawn.
        parts: elements.
        width: of the drawing.
        height: of the drawing.
        alternative: what the chart shows, for those who cannot see it.
    """
    return "\n".join(
        (
            f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px" role="img" '
            f"aria-label={quoteattr(' '.join(filter(None, (title + '.', alternative))))}>",
            *parts,
            "</svg>",
        )
    )


def pick_ticks(top: float) -> list[float]:
    """Round numbers from 0 to `top` or just above: steps of 1, 2 or 5 times a power of ten."""
    if top <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(top / MOST_TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if top / (power * factor) <= MOST_TICKS)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def write_tick(value: float) -> str:
    """A tick's number without needless digits."""
    return f"{value:,.10g}"
