"""`atrous import`: a dataset folder becomes a project's pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import open_progress, percent, say, show_table
from atrous.core.ids import check_slug
from atrous.datasets.formats import AUTO, FORMATS
from atrous.workspace.imports import import_dataset

if TYPE_CHECKING:
    from atrous.workspace.imports import ImportReport

SHOWN_FINDINGS = 20


def import_(
    path: Annotated[Path, typer.Argument(help="The dataset's folder.")],
    project: Annotated[str, typer.Option(help="Project slug; made if it is new.")],
    format_name: Annotated[str, typer.Option("--format", help=f"{AUTO}, {', '.join(FORMATS)}.")] = AUTO,
    report: Annotated[Path | None, typer.Option(help="Also write what was done as JSON to this file.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Import pictures and labels; id 0 becomes background, void becomes 255, and the mapping is shown.

    Pairs that cannot be used are left out and listed. Importing again adds only what is new.
    """
    check_slug(project, "--project")
    ports, slug = open_ports(workspace)
    with open_progress() as progress:
        task = progress.add_task("importing", total=None)
        done = import_dataset(
            ports,
            slug,
            project,
            path.expanduser(),
            format_name,
            progress=lambda count, total: progress.update(task, completed=count, total=total),
        )
    _show(done)
    if report:
        report.write_text(json.dumps(done.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"report: {report}")
    say(f"next: atrous version create {project}")


def _show(report: ImportReport) -> None:
    rows = [[row.source_value, row.source_name, row.id, row.name] for row in report.mapping]
    show_table(f"Classes of {report.project} ({report.format})", ["value", "source name", "id", "name"], rows)
    scored = sum(report.class_pixels.values())
    if scored:
        shares = [[name, percent(pixels / scored)] for name, pixels in report.class_pixels.items()]
        show_table("Labelled pixels", ["name", "share"], shares)
    counts = ", ".join(f"{count} {split}" for split, count in report.imported.items())
    typer.echo(f"imported: {counts}; known already: {report.known}; left out: {len(report.findings)}")
    for note in report.notes:
        typer.echo(f"note: {note}")
    for finding in report.findings[:SHOWN_FINDINGS]:
        typer.echo(f"left out: {finding}")
    if len(report.findings) > SHOWN_FINDINGS:
        typer.echo(f"… and {len(report.findings) - SHOWN_FINDINGS} more; --report FILE lists them all")
