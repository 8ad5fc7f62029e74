"""`atrous import`: a dataset becomes a project's pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from atrous.cli.findings import show_findings
from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.platform_client import Platform
from atrous.cli.remote_imports import import_remotely
from atrous.cli.terminal import percent, say, show_progress, show_table
from atrous.core.errors import InvalidDatasetError
from atrous.core.ids import check_slug
from atrous.datasets.fixes import DESCRIPTIONS, Fix
from atrous.datasets.formats import AUTO, FORMATS
from atrous.datasets.splits import Split
from atrous.workspace.imports import ImportOptions, import_dataset

if TYPE_CHECKING:
    from atrous.workspace.import_report import ImportReport

FixOption: TypeAlias = Annotated[
    list[Fix] | None,
    typer.Option(
        "--fix",
        help="Apply a remedy that a finding names; can be given several times. "
        + "; ".join(f"{fix}: {description}" for fix, description in DESCRIPTIONS.items())
        + ".",
    ),
]
FormatOption: TypeAlias = Annotated[str, typer.Option("--format", help=f"{AUTO}, {', '.join(FORMATS)}.")]
ClassesOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--classes", help="File of class names that counts instead of those in the dataset."),
]
SHOWN_RELABELLED = 10


def import_(
    path: Annotated[Path, typer.Argument(help="The dataset: a folder, a zip or a tar.")],
    project: Annotated[str, typer.Option(help="Project slug; made if it is new.")],
    format_name: FormatOption = AUTO,
    classes: ClassesOption = None,
    fix: FixOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace labels of pictures that the project has.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing if there is any finding.")] = False,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Take pictures without a label too, to be labelled later.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Also write what was done as JSON to this file.")] = None,
    api_url: Annotated[
        str | None, typer.Option(help="Send it to this server, which imports it, instead of importing here.")
    ] = None,
    api_key: Annotated[str | None, typer.Option(envvar="ATROUS_API_KEY", help="Key for that server.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Import pictures and labels; id 0 becomes background, void becomes 255, and the mapping is shown.

    Pairs that cannot be used are left out and listed. Importing again adds only what is new, also after an import that
    was killed.
    """
    check_slug(project, "--project")
    options = ImportOptions(
        format_name=format_name,
        class_list=classes.expanduser() if classes else None,
        fixes=frozenset(fix or ()),
        overwrite=overwrite,
        strict=strict,
        unlabelled=unlabelled,
    )
    path = path.expanduser()
    done, left_out = (
        import_remotely(Platform(api_url, api_key), project, path, options)
        if api_url
        else _import_here(workspace, project, path, options)
    )
    _show(done, left_out)
    if report:
        report.write_text(json.dumps(done.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"report: {report}")
    if done.is_refused:
        raise InvalidDatasetError(
            f"{path}: has {len(done.findings)} findings, so --strict imported nothing; mend them or leave --strict out"
        )
    if not api_url:
        say(f"next: atrous version create {project}")


def _import_here(workspace: str | None, project: str, path: Path, options: ImportOptions) -> tuple[ImportReport, int]:
    ports, slug = open_ports(workspace)
    with show_progress("importing") as progress:
        done = import_dataset(ports, slug, project, path, options, progress=progress)
    return done, sum(done.left_out.values())


def _show(report: ImportReport, left_out: int) -> None:
    rows = [[row.source_value, row.source_name, row.id, row.name] for row in report.mapping]
    show_table(f"Classes of {report.project} ({report.format})", ["value", "source name", "id", "name"], rows)
    _show_pixels(report)
    for note in report.notes:
        typer.echo(f"note: {note}")
    for fix, count in report.mended.items():
        typer.echo(f"mended by {fix}: {count}")
    for one in report.relabelled[:SHOWN_RELABELLED]:
        typer.echo(f"new label: {one.file}: {one.changed_px} pixels changed")
    if len(report.relabelled) > SHOWN_RELABELLED:
        typer.echo(f"… and {len(report.relabelled) - SHOWN_RELABELLED} more new labels; --report FILE lists them all")
    show_findings(report.findings)
    counts = ", ".join(f"{count} {split}" for split, count in report.imported.items())
    known = f"known already: {report.known}" + (f", {len(report.relabelled)} relabelled" if report.relabelled else "")
    unlabelled = f" ({report.unlabelled} unlabelled)" if report.unlabelled else ""
    typer.echo(f"imported: {counts}{unlabelled}; {known}; left out: {left_out}")


def _show_pixels(report: ImportReport) -> None:
    splits = [split for split in Split if any(report.pixels[split].values()) or report.void_pixels[split]]
    if not splits:
        return
    rows: list[list[object]] = []
    for name in report.class_pixels:
        pixels = [report.pixels[split][name] for split in splits]
        rows.append([name, *pixels, percent(sum(pixels) / (sum(report.class_pixels.values()) or 1))])
    rows.append(["void", *(report.void_pixels[split] for split in splits), None])
    columns = ["name", *(split.value for split in splits), "share"]
    show_table("Labelled pixels of this source's pictures in the project", columns, rows)
