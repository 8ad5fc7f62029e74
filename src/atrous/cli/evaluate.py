"""`atrous evaluate`: how good a model is, by which rule, and how sure that is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from atrous.cli.home import WorkspaceOption, find_home, open_ports
from atrous.cli.precisions import describe_int8
from atrous.cli.reports import Wish, make_report
from atrous.cli.scores import show_comparison, show_scores, show_speeds
from atrous.cli.terminal import say
from atrous.cli.tile_options import OverlapOption, TileOption, choose_tiling
from atrous.core.errors import InvalidInputError
from atrous.datasets.splits import Split
from atrous.evaluation.report import write_report
from atrous.runtime.glances import MIRRORED_AND_SCALED
from atrous.runtime.overlay import draw_overlay
from atrous.workspace.models import find_model


def evaluate(
    model: Annotated[str, typer.Argument(help="PROJECT/VERSION or WORKSPACE/MODEL.")],
    split: Annotated[Split, typer.Option(help="Pictures to score on.")] = Split.VALID,
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Confidence that the server asks for.")] = 0.4,
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Another model of the same classes, to compare with.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files of the report.")] = None,
    tile: TileOption = None,
    tile_overlap: OverlapOption = None,
    tta: Annotated[
        bool,
        typer.Option("--tta", help="Average what is seen of a picture and its mirror image at three scales."),
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Score a model on a split, by plain winner and as the server would answer; write a report.

    The report is a page for people (intervals, charts, pictures, speed, warnings), the same as JSON, and a table of
    labels that the model doubts.
    """
    wish = Wish(split, threshold, choose_tiling(tile, tile_overlap), MIRRORED_AND_SCALED if tta else None)
    if wish.tiling and wish.glances:
        raise InvalidInputError("--tta: sees a picture whole; leave out --tile, or leave out --tta")
    ports, slug = open_ports(workspace)
    found = find_model(ports, slug, model)
    other = find_model(ports, slug, against) if against else None
    # Before the scoring, which would be lost if there were no place for it.
    folder = out or find_home() / "reports" / found.slug / split.value
    folder.mkdir(parents=True, exist_ok=True)
    report = make_report(ports, found, other, wish)
    draw = partial(draw_overlay, class_map=report.class_map)
    files = write_report(folder, report, draw, partial(draw, names=False))
    show_scores(report.evaluation, report.about)
    if report.comparison:
        show_comparison(report.comparison, report.about)
    show_speeds(report.about.speeds)
    typer.echo(describe_int8(found.metrics))
    typer.echo(f"labels in doubt: {len(report.issues.issues())}")
    for path in files:
        say(f"{'report:' if path is files[0] else '':7} {path}")
