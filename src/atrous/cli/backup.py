"""`atrous backup` and `atrous restore`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.adapters.disk_archive import read_archive, write_archive
from atrous.adapters.home import close_home, open_home
from atrous.cli.home import CONFIG, choose_places, find_home, open_existing_ports, read_config
from atrous.cli.terminal import say, show_progress
from atrous.core.errors import ConflictError, StorageError
from atrous.workspace.backups import make_backup, read_backup, read_saved_config, restore_backup

if TYPE_CHECKING:
    from collections.abc import Generator

    from atrous.workspace.backups import Backup

NAMED_MISSING = 20
INCOMPLETE = 1


def backup(
    folder: Annotated[Path, typer.Argument(help="New, empty, or with an earlier backup; only what is new is copied.")],
) -> None:
    """Save everything, while the server runs: rows, pictures, labels, versions, models and the config file.

    The rows are those of one moment. Until the end the folder holds the backup before. Exit 1 if files were missing or
    altered, which are named; all the rest is saved. The backup holds all that keys protect: keep it to yourself.
    """
    ports = open_existing_ports()
    path = find_home() / CONFIG
    with write_archive(folder) as archive, show_progress("files") as on_blob:
        made = make_backup(ports, archive, config=path.read_bytes() if path.is_file() else None, on_blob=on_blob)
    for name in made.missing[:NAMED_MISSING]:
        typer.echo(f"missing or altered: {name}")
    say(f"saved {_describe(made)} in {folder}")
    if made.missing:
        say(f"{len(made.missing)} files could not be saved; `atrous doctor --check-hashes` says what they belong to")
        raise typer.Exit(INCOMPLETE)


def restore(folder: Annotated[Path, typer.Argument(help="What `atrous backup` was given.")]) -> None:
    """Bring back a backup into an empty home (ATROUS_HOME), and database and bucket if such are chosen.

    Every file is verified by its hash. SQLite's backups come back in PostgreSQL, and the other way round.
    """
    archive = read_archive(folder)
    saved = read_backup(archive)
    home = find_home()
    with _draft_home(home) as draft, show_progress("files") as on_blob:
        config = read_saved_config(archive, saved)
        if config is not None and not (draft / CONFIG).exists():
            (draft / CONFIG).write_bytes(config)
        ports = open_home(draft, choose_places(read_config(draft)))
        try:
            restore_backup(ports, archive, saved, scratch=draft / ".restoring", on_blob=on_blob)
        finally:
            close_home(ports)
    say(f"restored {_describe(saved)} of {saved.made} to {home}")
    if saved.missing:
        say(f"{len(saved.missing)} files were missing when the backup was made; `atrous doctor` names them")


@contextmanager
def _draft_home(home: Path) -> Generator[Path]:
    """A folder that becomes the home at its end; the home's config file is all that may be there already."""
    if home.is_dir() and any(path.name != CONFIG for path in home.iterdir()):
        raise ConflictError(f"{home}: is not empty; set ATROUS_HOME to a new folder, or move this one away")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}-"))
    except OSError as error:
        raise StorageError(f"{home}: cannot be made ({error.strerror}); set ATROUS_HOME to another folder") from error
    try:
        if (home / CONFIG).is_file():
            shutil.copyfile(home / CONFIG, draft / CONFIG)
        yield draft
        (home / CONFIG).unlink(missing_ok=True)
        # Takes the place of an empty folder, too.
        draft.replace(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _describe(saved: Backup) -> str:
    rows = sum(table.rows for table in saved.tables.values())
    return f"{rows} rows, {saved.blob_count} files and {len(saved.models)} models"
