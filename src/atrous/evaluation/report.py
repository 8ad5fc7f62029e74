"""An evaluation as files: a page for people, JSON for programs, doubtful labels as a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.evaluation.label_issues import write_issues
from atrous.evaluation.page import render_page

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.core.class_map import ClassMap
    from atrous.datasets.drawing import Draw
    from atrous.evaluation.about import About
    from atrous.evaluation.comparison import Comparison
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.label_issues import IssueList

HTML, JSON, ISSUES = "report.html", "report.json", "label_issues.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All that is told of an evaluation.

    Attributes:
        about: what was evaluated.
        class_map: classes of labels and predictions.
        evaluation: the scores and the small copies of pictures.
        issues: where labels are in doubt.
        comparison: with the model `about.against`, this one second; None if there is none.
    """

    about: About
    class_map: ClassMap
    evaluation: Evaluation
    issues: IssueList
    comparison: Comparison | None = None


def report_json(report: Report) -> dict[str, Any]:
    """What was evaluated and all its scores, each with the rule, as plain values."""
    told = report.about.as_json() | report.evaluation.as_json()
    if report.comparison:
        # The second one is the report itself.
        told["comparison"] = {name: value for name, value in report.comparison.as_json().items() if name != "second"}
    return told


def write_report(folder: Path, report: Report, draw: Draw, draw_crop: Draw) -> list[Path]:
    """Write a report's files into an existing folder, each in place of one that was there.

    Args:
        folder: takes the files.
        report: what to write.
        draw: draws a mask over a picture.
        draw_crop: the same for small pictures, without names.

    Returns:
        The files, the page first.
    """
    text = json.dumps(report_json(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    contents = {
        HTML: render_page(
            report.evaluation,
            report.about,
            draw,
            issues=report.issues,
            comparison=report.comparison,
            draw_crop=draw_crop,
        ),
        JSON: text,
        ISSUES: write_issues(report.issues.issues(), report.class_map),
    }
    for name, content in contents.items():
        _replace_text(folder / name, content)
    return [folder / name for name in contents]


def _replace_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
