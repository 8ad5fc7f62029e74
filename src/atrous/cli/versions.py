"""`atrous version`: immutable snapshots of projects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import parse_crop
from atrous.cli.home import WorkspaceOption, find_home, open_ports
from atrous.cli.terminal import say, show_progress, show_table
from atrous.core.errors import InvalidInputError
from atrous.core.ids import parse_version_id
from atrous.core.sizes import parse_size
from atrous.datasets.splits import Split
from atrous.worker.foreground import make_version_here
from atrous.workspace.records import VersionState
from atrous.workspace.version_diff import compare_versions
from atrous.workspace.version_preview import MAX_PREVIEWS, preview
from atrous.workspace.versions import create_version, find_project, find_version

if TYPE_CHECKING:
    from atrous.workspace.records import Version
    from atrous.workspace.version_diff import VersionDiff

app = typer.Typer(help="Versions: immutable, numbered snapshots of a project.", no_args_is_help=True)

HASH_SHOWN = 12
DEFAULT_RESIZE = "512x512"
SHOWN_NAMES = 20

SettingsOption = Annotated[
    Path, typer.Option("--settings", help="A JSON file with the steps, in the form of Roboflow's settings.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("create")
def create(
    project: Annotated[str, typer.Argument(help="Project slug.")],
    resize: Annotated[
        str | None, typer.Option(help=f"The network's input, WIDTHxHEIGHT.  \\[default: {DEFAULT_RESIZE}]")
    ] = None,
    fit: Annotated[Fit, typer.Option(help=f"How pictures are brought to that size: {', '.join(Fit)}.")] = Fit.STRETCH,
    crop: Annotated[
        str | None, typer.Option(help="Keep this part of pictures: X_MIN,Y_MIN,X_MAX,Y_MAX in percent.")
    ] = None,
    grayscale: Annotated[bool, typer.Option("--grayscale", help="Take the colour out of pictures.")] = False,
    contrast: Annotated[
        Contrast | None, typer.Option(help=f"Raise the contrast of pictures: {', '.join(Contrast)}.")
    ] = None,
    auto_orient: Annotated[bool, typer.Option(help="Turn pictures as their EXIF data says.")] = True,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="A JSON file with the steps, in the form of Roboflow's settings; it takes the place of all options "
            "for steps and can do more: tiles, augmentation, other classes, filters."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the version.")] = "",
    workspace: WorkspaceOption = None,
) -> None:
    """Freeze a project's pictures, labels and splits under the next number, and how models will see them."""
    ports, slug = open_ports(workspace)
    preprocessing = Preprocessing(
        size=parse_size(resize or DEFAULT_RESIZE),
        fit=fit,
        auto_orient=auto_orient,
        crop=None if crop is None else parse_crop(crop),
        grayscale=grayscale,
        contrast=contrast,
    )
    if settings is None:
        version = create_version(ports, slug, project, preprocessing, name=name)
    else:
        _check_alone(resize, preprocessing)
        content = _read_settings(settings)
        with show_progress("making pictures") as progress:
            version = make_version_here(ports, slug, project, content, home=find_home(), name=name, progress=progress)
    _say_made(version)
    typer.echo(str(version.id))


@app.command("list")
def list_(project: Annotated[str, typer.Argument(help="Project slug.")], workspace: WorkspaceOption = None) -> None:
    """List a project's versions."""
    ports, slug = open_ports(workspace)
    find_project(ports, slug, project)
    rows = [
        [
            str(version.id),
            *(version.pictures[split] for split in Split),
            f"{version.preprocessing.size} {version.preprocessing.fit.value}",
            ", ".join(_name_steps(version)),
            _state_of(version),
            version.content_sha256[:HASH_SHOWN],
        ]
        for version in ports.store.list_versions(slug, project)
    ]
    columns = ["version", *(split.value for split in Split), "input", "steps", "state", "sha256"]
    show_table(f"Versions of {project}", columns, rows)


@app.command()
def show(version: Annotated[str, typer.Argument(help="PROJECT/NUMBER.")], workspace: WorkspaceOption = None) -> None:
    """Print all that a version was made by, as JSON; its settings may be used for another one."""
    ports, slug = open_ports(workspace)
    typer.echo(
        json.dumps(_describe(find_version(ports, slug, parse_version_id(version))), indent=2, ensure_ascii=False)
    )


@app.command("preview")
def preview_(
    project: Annotated[str, typer.Argument(help="Project slug.")],
    settings: SettingsOption,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Where to write the pictures.")],
    count: Annotated[int, typer.Option(min=1, max=MAX_PREVIEWS, help="How many pictures.")] = 8,
    workspace: WorkspaceOption = None,
) -> None:
    """Write some pictures as a version would hold them, with their labels drawn over; nothing is kept."""
    ports, slug = open_ports(workspace)
    previews = preview(ports, slug, project, _read_settings(settings), count)
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(previews, start=1):
        path = folder / f"{number:02}.jpg"
        path.write_bytes(one.image)
        (folder / f"{number:02}_mask.png").write_bytes(one.mask)
        typer.echo(f"{path}: {one.name}")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(help="PROJECT/NUMBER.")],
    second: Annotated[str, typer.Argument(help="PROJECT/NUMBER of the same project.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show pictures added, removed, relabelled and moved, and classes and settings changed."""
    ports, slug = open_ports(workspace)
    found = compare_versions(ports, slug, parse_version_id(first), parse_version_id(second))
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show_diff(found)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.expanduser().read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidInputError(f"{path}: is not JSON ({error}); correct it") from error
    if not isinstance(content, dict):
        raise InvalidInputError(f'{path}: is no JSON object; write {{"preprocessing": {{}}, "augmentation": {{}}}}')
    settings = cast("dict[str, Any]", content)
    # What `version show` prints may be used as it is.
    return settings["settings"] if isinstance(settings.get("settings"), dict) else settings


def _check_alone(resize: str | None, preprocessing: Preprocessing) -> None:
    if resize or preprocessing != Preprocessing(parse_size(DEFAULT_RESIZE)):
        raise InvalidInputError("--settings: takes the place of the options for steps; leave those out")


def _say_made(version: Version) -> None:
    counts = ", ".join(f"{version.pictures[split]} {split}" for split in Split)
    preprocessing = version.preprocessing
    steps = ", ".join([str(preprocessing.size), preprocessing.fit, *_name_steps(version)])
    for note in version.settings.get("notes", []):
        say(f"note: {note}")
    say(f"version {version.id}: {counts}; {steps}; sha256 {version.content_sha256[:HASH_SHOWN]}")
    say(f"next: atrous train {version.id}")


def _name_steps(version: Version) -> list[str]:
    """What else is done to pictures, or left undone, than by default."""
    preprocessing = version.preprocessing
    steps: list[str] = []
    if preprocessing.crop:
        steps.append(f"crop {preprocessing.crop}")
    if preprocessing.tiles:
        steps.append(f"tiles {preprocessing.tiles}")
    if preprocessing.grayscale:
        steps.append("grayscale")
    if preprocessing.contrast:
        steps.append(f"contrast {preprocessing.contrast}")
    if not preprocessing.auto_orient:
        steps.append("not turned")
    content_steps = ("remap", "filter-null", "filter-tag", "random-sample")
    steps += [key for key in content_steps if key in version.settings.get("preprocessing", {})]
    augmentation = dict(version.settings.get("augmentation", {}))
    if outputs := augmentation.pop("image", None):
        steps.append(f"{outputs['versions']} outputs of {', '.join(augmentation)}")
    return steps


def _state_of(version: Version) -> str:
    if version.state is VersionState.GENERATING:
        return f"{version.state} {version.progress:.0%}"
    return f"{version.state}: {version.error}" if version.error else version.state.value


def _describe(version: Version) -> dict[str, Any]:
    return {
        "version": str(version.id),
        "name": version.name,
        "state": version.state.value,
        "error": version.error,
        "created": version.created.isoformat(),
        "pictures": {split.value: count for split, count in version.pictures.items()},
        "classes": version.class_map.as_json(),
        "sha256": version.content_sha256,
        "settings": dict(version.settings),
    }


def _show_diff(found: VersionDiff) -> None:
    moved = tuple(f"{move.name} ({move.before} -> {move.after})" for move in found.moved)
    lists = {
        "added": found.added,
        "removed": found.removed,
        "relabelled": found.relabelled,
        "moved": moved,
        "classes added": found.classes_added,
        "classes removed": found.classes_removed,
    }
    for title, names in lists.items():
        typer.echo(f"{title}: {len(names)}")
        for name in names[:SHOWN_NAMES]:
            typer.echo(f"  {name}")
        if len(names) > SHOWN_NAMES:
            typer.echo(f"  and {len(names) - SHOWN_NAMES} more; --json lists all")
    typer.echo(f"pictures in both: {found.kept}")
    rows = [[change.setting, change.before, change.after] for change in found.settings]
    if rows:
        show_table("Settings", ["setting", str(found.first), str(found.second)], rows)
