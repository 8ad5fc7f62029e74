"""What the runs of an ablation found, as a table of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.evaluation.intervals import find_paired_intervals
from atrous.evaluation.picture_counts import PictureCounts
from benchmarks.ablation_plan import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atrous.evaluation.intervals import PairedIntervals

Run = dict[str, Any]
HEADS = ("run", "changed", "mIoU", "95 %", "against the baseline", "95 % of that", "is", "epochs", "minutes")


def write_table(title: str, budget: Mapping[str, Any], runs: Mapping[str, Run]) -> str:
    """A table of runs on one version, best first below the baseline.

    Args:
        title: names the version.
        budget: of each run.
        runs: by name, as `benchmarks.ablation_run` wrote them.
    """
    baseline = runs.get(BASELINE)
    others = sorted((run for name, run in runs.items() if name != BASELINE), key=lambda run: -(run["miou"] or 0))
    rows = [_write_row(run, baseline) for run in ([baseline] if baseline else []) + others]
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in budget.items() if value)
    pictures = len(next(iter(runs.values()))["counts"]["label_PK"]) if runs else 0
    rule = (
        f"Budget of each run: {told}. Mean IoU on {pictures} pictures of valid, by plain winner, of the best epoch's "
        "weights. Intervals are bootstraps over pictures; those of differences draw the same pictures for both. They "
        "tell nothing of how another seed would have come out."
    )
    lines = [_line(HEADS), _line(["---"] * len(HEADS)), *map(_line, rows)]
    return "\n".join([f"## {title}", "", rule, "", *lines, ""])


def _write_row(run: Run, baseline: Run | None) -> list[str]:
    spec, paired, gain = run["spec"], None, ""
    if baseline is not None and run is not baseline:
        paired = find_paired_intervals(_read_counts(baseline), _read_counts(run))
        gain = f"{100 * ((run['miou'] or 0) - (baseline['miou'] or 0)):+.1f}"
    changed = ", ".join(f"`{name} = {value}`" for name, value in spec["changes"].items())
    return [
        spec["name"],
        changed or "-",
        f"{100 * run['miou']:.1f}" if run["miou"] is not None else "n/a",
        _write_span(run["interval"]),
        gain or "-",
        _write_span(paired.mean_iou.as_json(), "+") if paired and paired.mean_iou else "-",
        _judge(paired),
        str(len(run["epochs"])),
        f"{run['seconds'] / 60:.1f}",
    ]


def _write_span(span: Sequence[float] | None, sign: str = "") -> str:
    return f"{100 * span[0]:{sign}.1f} to {100 * span[1]:{sign}.1f}" if span else "-"


def _judge(paired: PairedIntervals | None) -> str:
    if paired is None or paired.mean_iou is None:
        return "-"
    if paired.mean_iou.low > 0:
        return "better"
    return "worse" if paired.mean_iou.high < 0 else "not told apart"


def _read_counts(run: Run) -> PictureCounts:
    return PictureCounts(**{name: np.array(value, np.int64) for name, value in run["counts"].items()})


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
