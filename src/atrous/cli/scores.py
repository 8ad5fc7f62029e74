"""Scores of an evaluation in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from atrous.cli.terminal import percent, say, show_table
from atrous.evaluation.intervals import write_interval
from atrous.evaluation.scores import RULE
from atrous.evaluation.versus import list_rows, write_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.evaluation.about import About, Speed
    from atrous.evaluation.comparison import Comparison
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.intervals import Interval
    from atrous.evaluation.scores import Scores


def show_scores(evaluation: Evaluation, about: About) -> None:
    """A table of the classes, the totals both ways with their intervals, and the rule; warnings beside them."""
    plain = evaluation.plain
    spans = plain.intervals.classes if plain.intervals else (None,) * len(plain.classes)
    rows: list[list[object]] = [
        [one.name, *_write_iou(one.iou, span), *map(percent, (one.precision, one.recall, one.f1)), percent(served.iou)]
        for one, span, served in zip(plain.classes, spans, evaluation.served.classes, strict=True)
    ]
    columns = ["class", "IoU", "interval", "precision", "recall", "F1", f"at {evaluation.threshold:g}"]
    show_table(f"{about.version} on {len(evaluation.pictures)} {about.split} pictures", columns, rows)
    _show_totals("plain winner", evaluation.plain)
    _show_totals(f"as served at {evaluation.threshold:g}", evaluation.served)
    if about.tile_overlap is not None:
        typer.echo(f"seen in tiles: {about.tile}, overlap {about.tile_overlap:g}")
    if about.glances:
        typer.echo(f"each picture seen {about.glances}; a server sees it once, so expect less of it")
    typer.echo(f"rule: {RULE}")
    for warning in evaluation.warnings:
        say(f"warning: {warning.message}")


def show_comparison(comparison: Comparison, about: About) -> None:
    """A table of both models' scores as served, the largest gains first, and which one is better."""
    rows: list[list[object]] = [
        [row.name, percent(row.other), percent(row.this), row.gain, row.interval] for row in list_rows(comparison)
    ]
    columns = ["as served", "other model", "this model", "gain, points", "95 % interval"]
    show_table(f"{about.model} against {about.against}", columns, rows)
    typer.echo(write_verdict(about.against, comparison.served))


def show_speeds(speeds: Sequence[Speed]) -> None:
    """A line with the times of all networks."""
    times = [f"{speed.precision} {speed.median_ms:.3g} ms by {speed.backend}" for speed in speeds]
    if speeds:
        typer.echo(f"speed: {', '.join(times)} per picture, on {speeds[0].machine}")


def _show_totals(name: str, scores: Scores) -> None:
    spans = scores.intervals
    mean_iou = _figure(scores.mean_iou, spans.mean_iou if spans else None)
    accuracy = _figure(scores.pixel_accuracy, spans.pixel_accuracy if spans else None)
    typer.echo(f"{name}: mIoU {mean_iou}, pixel accuracy {accuracy}")


def _figure(value: float | None, interval: Interval | None) -> str:
    return "n/a" if value is None else f"{value:.4f} {write_interval(interval)}".rstrip()


def _write_iou(iou: float | None, interval: Interval | None) -> tuple[str, str]:
    ends = f"{100 * interval.low:.1f}-{100 * interval.high:.1f}" if interval and iou is not None else ""
    return percent(iou), ends
