"""`atrous dataset`: a look at a dataset before anything is trained on it, and datasets for other tools."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.bundle.picture import decode_picture
from atrous.cli.findings import show_findings
from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.imports import ClassesOption, FixOption, FormatOption
from atrous.cli.terminal import percent, say, show_progress, show_table
from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidInputError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.exports import EXPORTS
from atrous.datasets.facts import sum_pixels
from atrous.datasets.files.opening import open_dataset
from atrous.datasets.formats import AUTO, read_source
from atrous.datasets.inspection import inspect_source
from atrous.datasets.inspection_page import render_page
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.source import Hints
from atrous.datasets.splits import Split
from atrous.runtime.overlay import draw_overlay
from atrous.workspace.exports import export_dataset
from atrous.workspace.inspections import inspect_project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.facts import PictureFacts
    from atrous.datasets.inspection import Inspection
    from atrous.datasets.inspection_page import Load

SHOWN_SIZES = 4

app = typer.Typer(help="Look at datasets and export them.", no_args_is_help=True)


@app.command()
def inspect(
    target: Annotated[str, typer.Argument(metavar="PATH|PROJECT", help="A folder, zip or tar, or a project's slug.")],
    format_name: FormatOption = AUTO,
    classes: ClassesOption = None,
    fix: FixOption = None,
    html: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("inspection.html"),
    report: Annotated[Path | None, typer.Option(help="Also write what was seen as JSON to this file.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Check every picture and label, print what was seen, and write a page with overlays of each class."""
    path = Path(target).expanduser()
    if path.exists():
        hints = Hints(classes.expanduser() if classes else None, frozenset(fix or ()))
        _inspect_path(path, format_name, hints, html, report)
    elif "/" in target:
        raise InvalidInputError(f"{target}: is not there; give a folder, an archive, or the slug of a project")
    else:
        ports, slug = open_ports(workspace)
        found = inspect_project(ports, slug, target)
        _write(f"Project {target}", found.inspection, found.class_map, found.load, html, report)


@app.command()
def export(
    source: Annotated[str, typer.Argument(metavar="PROJECT|VERSION", help="A project's slug, or PROJECT/NUMBER.")],
    path: Annotated[Path, typer.Argument(help="A new folder, or a file that ends with .zip.")],
    format_name: Annotated[str, typer.Option("--format", help=f"{', '.join(EXPORTS)}.")] = "png-masks",
    workspace: WorkspaceOption = None,
) -> None:
    """Write pictures and labels for other tools; `atrous import` reads each format back."""
    ports, slug = open_ports(workspace)
    with show_progress("exporting") as progress:
        done = export_dataset(ports, slug, source, format_name, path.expanduser(), progress=progress)
    for remark, count in done.remarks.items():
        typer.echo(f"note: {remark}: {count}")
    typer.echo(f"exported: {', '.join(f'{count} {split}' for split, count in done.pictures.items())} to {path}")


def _inspect_path(path: Path, format_name: str, hints: Hints, html: Path, report: Path | None) -> None:
    with open_dataset(path) as tree:
        format_name, source = read_source(tree, format_name, hints)
        mapping = map_classes(source.classes, None)
        with show_progress("inspecting") as progress:
            inspection = inspect_source(source, mapping, hints.fixes, progress=progress)
        items = {item.image.name: item for item in source.items}

        def load(picture: PictureFacts) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
            labelled = load_labelled_picture(items[picture.name], mapping, hints.fixes)
            if not isinstance(labelled, LabelledPicture):
                raise InvalidInputError(f"{path}: {picture.name} changed meanwhile; run the command again")
            return decode_picture(labelled.image), labelled.mask_HW

        rows = [[row.source_value, row.source_name, row.id, row.name] for row in mapping.rows]
        show_table(f"Classes ({format_name})", ["value", "source name", "id", "name"], rows)
        _write(f"{path.name} ({format_name})", inspection, mapping.class_map, load, html, report)


def _write(
    title: str, inspection: Inspection, class_map: ClassMap, load: Load, html: Path, report: Path | None
) -> None:
    _show(inspection, class_map)
    html.write_text(
        render_page(title, inspection, class_map, load, partial(draw_overlay, class_map=class_map)), encoding="utf-8"
    )
    say(f"page: {html}")
    if report:
        content = inspection.as_json(class_map)
        report.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"report: {report}")


def _show(inspection: Inspection, class_map: ClassMap) -> None:
    pixels = sum_pixels(inspection.facts)
    scored = sum(count for by_id in pixels.values() for class_id, count in by_id.items() if class_id != VOID_ID) or 1
    rows: list[list[object]] = []
    for class_id, name in [*enumerate(class_map.names), (VOID_ID, "void")]:
        by_split = [pixels[split][class_id] for split in Split]
        rows.append([name, *by_split, None if class_id == VOID_ID else percent(sum(by_split) / scored)])
    show_table("Labelled pixels", ["name", *(split.value for split in Split), "share"], rows)
    sizes = ", ".join(f"{size} ({count})" for size, count in inspection.count_sizes(SHOWN_SIZES))
    typer.echo(f"sizes: {sizes or 'none'}")
    for note in inspection.notes:
        typer.echo(f"note: {note}")
    show_findings(inspection.findings)
    counts = ", ".join(f"{sum(one.split is split for one in inspection.facts)} {split}" for split in Split)
    left_out = sum(not finding.is_warning for finding in inspection.findings)
    typer.echo(f"usable: {counts}; left out: {left_out}; to look at: {len(inspection.findings) - left_out}")
