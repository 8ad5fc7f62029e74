"""`ATROUS_HOME`: one folder that holds everything, opened as ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.adapters.clock import SystemClock
from atrous.adapters.disk_blobs import DiskBlobs
from atrous.adapters.disk_bundles import DiskBundles
from atrous.adapters.sql_store import open_sqlite_store
from atrous.core.errors import StorageError
from atrous.workspace.ports import Ports

if TYPE_CHECKING:
    from pathlib import Path


def open_home(folder: Path) -> Ports:
    """Open a home, making it and bringing its database up to date first.

    Raises:
        StorageError: if the folder cannot be written.
        InvalidInputError: if its database was made by a newer release or is damaged.
    """
    database = folder / "atrous.db"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        database.touch(mode=0o600)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror}); set ATROUS_HOME to another folder") from error
    store = open_sqlite_store(database)
    return Ports(
        store=store,
        queue=store,
        blobs=DiskBlobs(folder / "blobs"),
        bundles=DiskBundles(folder / "models"),
        clock=SystemClock(),
    )
