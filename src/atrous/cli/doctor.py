"""`atrous doctor`: is everything there."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.home import find_home, open_existing_ports
from atrous.cli.terminal import say, show_progress
from atrous.workspace.doctor import Checkup, check_up

if TYPE_CHECKING:
    from pathlib import Path

NAMED_ORPHANS = 20
UNWELL = 1


def doctor(
    check_hashes: Annotated[bool, typer.Option("--check-hashes", help="Read every byte of every file, too.")] = False,
    remove_orphans: Annotated[
        bool, typer.Option("--remove-orphans", help="Forget files that nothing names any more.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write all that is found as JSON.")] = False,
) -> None:
    """Compare every row with every file, also while the server runs; exit 1 if something is missing or damaged.

    Files that nothing names only take space. Those younger than an hour, or than the oldest job that is not over, are
    left alone: an upload or a job may be about to name them.
    """
    ports = open_existing_ports()
    runs = find_home() / "runs"
    with show_progress("files") as on_blob:
        checkup = check_up(
            ports,
            check_hashes=check_hashes,
            remove_orphans=remove_orphans,
            runs_here=lambda training_id: _is_locked(runs / training_id / "lock"),
            on_blob=on_blob,
        )
    if as_json:
        typer.echo(json.dumps(asdict(checkup) | {"clean": checkup.is_clean}, indent=2))
    else:
        _tell(checkup)
    if not checkup.is_clean:
        raise typer.Exit(UNWELL)


def _tell(checkup: Checkup) -> None:
    for finding in checkup.findings:
        typer.echo(f"{finding.ailment}: {finding.text}")
    orphans = [*checkup.orphans, *checkup.orphan_models]
    for name in orphans[:NAMED_ORPHANS]:
        typer.echo(f"orphan: {name}")
    if len(orphans) > NAMED_ORPHANS:
        typer.echo(f"orphan: {len(orphans) - NAMED_ORPHANS} more, see --json")
    fate = "removed" if checkup.removed else "`atrous doctor --remove-orphans` removes them"
    say(
        f"{checkup.blobs} files and {checkup.models} models looked at: "
        + (f"{len(checkup.findings)} findings" if checkup.findings else "all is well")
        + (f"; {len(orphans)} orphans, {fate}" if orphans else "")
    )


def _is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a training."""
    try:
        with path.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
