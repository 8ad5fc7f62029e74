"""Connections to a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from atrous.adapters.sql_store.database import translated, watch_engine, write_json
from atrous.adapters.sql_store.migrating import migrate

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT_S = 30
WAL_RETRY_S = 0.02


def open_sqlite(path: Path) -> Engine:
    """Open a SQLite file with WAL and foreign keys on, and run the migrations it lacks.

    Raises:
        InvalidInputError: if it was made by a newer release or is no database.
        StorageError: if it cannot be opened or written.
    """
    engine = connect_sqlite(path)
    with translated(engine), engine.execution_options(writes=True).begin() as connection:
        migrate(connection, str(path))
    return engine


def connect_sqlite(path: Path) -> Engine:
    """Open a SQLite file as it is."""
    # Not as text: a `?` in a folder's name would end the path.
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, json_serializer=write_json)
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin_transaction)
    watch_engine(engine)
    return engine


def _prepare_connection(connection: Any, _record: Any) -> None:
    # Transactions are begun by `_begin_transaction`; the driver's own habit of beginning late is turned off.
    connection.isolation_level = None
    _use_wal(connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any) -> None:
    """Turn WAL on, waiting for others who do the same to a new file: SQLite's own timeout does not cover this step."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return


def _begin_transaction(connection: Connection) -> None:
    # A writer takes its lock at once: two writers then queue, where a late upgrade of a read lock would fail.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
