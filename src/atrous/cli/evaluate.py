"""`atrous evaluate`: how good a model is, and by which rule."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.home import WorkspaceOption, find_home, open_ports
from atrous.cli.precisions import describe_int8, list_networks
from atrous.cli.terminal import open_progress, percent, say, show_table
from atrous.cli.tile_options import OverlapOption, TileOption, choose_tiling, describe_tile
from atrous.datasets.splits import Split
from atrous.evaluation.report import About, write_html, write_json
from atrous.evaluation.scores import RULE
from atrous.runtime.overlay import draw_overlay
from atrous.worker.evaluation import evaluate_samples, list_split
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from atrous.evaluation.evaluate import Evaluation


def evaluate(
    model: Annotated[str, typer.Argument(help="PROJECT/VERSION or WORKSPACE/MODEL.")],
    split: Annotated[Split, typer.Option(help="Pictures to score on.")] = Split.VALID,
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Confidence that the server asks for.")] = 0.4,
    out: Annotated[Path | None, typer.Option(help="Folder for the JSON and the HTML report.")] = None,
    tile: TileOption = None,
    tile_overlap: OverlapOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Score a model on a split, by plain winner and as the server would answer; write a report."""
    tiling = choose_tiling(tile, tile_overlap)
    ports, slug = open_ports(workspace)
    found = find_model(ports, slug, model)
    samples = list_split(ports, found, split)
    with open_progress() as progress:
        task = progress.add_task(f"evaluating {split}", total=len(samples))
        evaluation = evaluate_samples(
            ports.bundles.locate(found.workspace, found.slug),
            samples,
            threshold=threshold,
            tiling=tiling,
            on_picture=lambda done: progress.update(task, completed=done),
        )
    folder = out or find_home() / "reports" / found.slug / split.value
    folder.mkdir(parents=True, exist_ok=True)
    about = About(
        version=str(found.version_id),
        model=f"{slug}/{found.slug}",
        split=split.value,
        date=datetime.now(UTC),
        networks=list_networks(found.metrics),
        int8_reason=found.metrics.get("int8_reason", ""),
        tile=describe_tile(tiling),
        tile_overlap=tiling.overlap if tiling else None,
    )
    project = ports.store.find_version(slug, found.project, found.version)
    assert project is not None  # noqa: S101  (list_split has just found it)
    write_json(folder / "report.json", evaluation, about)
    write_html(folder / "report.html", evaluation, about, partial(draw_overlay, class_map=project.class_map))
    _show(evaluation, about, len(samples))
    typer.echo(describe_int8(found.metrics))
    say(f"report: {folder / 'report.html'}")
    say(f"        {folder / 'report.json'}")


def _show(evaluation: Evaluation, about: About, pictures: int) -> None:
    rows: list[list[object]] = [
        [plain.name, *map(percent, (plain.iou, plain.precision, plain.recall, plain.f1)), percent(served.iou)]
        for plain, served in zip(evaluation.plain.classes, evaluation.served.classes, strict=True)
    ]
    columns = ["class", "IoU", "precision", "recall", "F1", f"IoU at {evaluation.threshold:g}"]
    show_table(f"{about.version} on {pictures} {about.split} pictures", columns, rows)
    for name, scores in (
        ("plain winner", evaluation.plain),
        (f"as served at {evaluation.threshold:g}", evaluation.served),
    ):
        typer.echo(f"{name}: mIoU {_figure(scores.mean_iou)}, pixel accuracy {_figure(scores.pixel_accuracy)}")
    if about.tile_overlap is not None:
        typer.echo(f"seen in tiles: {about.tile}, overlap {about.tile_overlap:g}")
    typer.echo(f"rule: {RULE}")


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
