"""Connections, transactions and migrations."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, OperationalError

from atrous.core.errors import InvalidInputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Generator

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD_REVISION = "0004"
BUSY_TIMEOUT_S = 30
WAL_RETRY_S = 0.02


class SqlTable:
    """A part of the store that speaks through one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)

    @contextmanager
    def _write(self) -> Generator[Connection]:
        """A transaction that is committed as a whole or not at all."""
        with _translated(self._engine), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Generator[Connection]:
        with _translated(self._engine), self._engine.begin() as connection:
            yield connection


def open_sqlite(path: Path) -> Engine:
    """Open a SQLite file with WAL and foreign keys on, and run the migrations it lacks.

    Raises:
        InvalidInputError: if it was made by a newer release or is no database.
        StorageError: if it cannot be opened or written.
    """
    # Not as text: a `?` in a folder's name would end the path.
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin_transaction)
    with _translated(engine), engine.execution_options(writes=True).begin() as connection:
        _migrate(connection, path)
    return engine


def utc(moment: datetime) -> datetime:
    """Give a stored time its zone back: SQLite keeps none."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def utc_or_none(moment: datetime | None) -> datetime | None:
    """The same for a time that may not be."""
    return utc(moment) if moment else None


def insert_or_ignore(connection: Connection, table: Table, *unique: str) -> Any:
    """An insert that leaves out rows whose values in these columns are there already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing(index_elements=unique)


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


def _migrate(connection: Connection, path: Path) -> None:
    known = inspect(connection).has_table("alembic_version")
    revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    if revision == HEAD_REVISION:
        return
    # Imported here because it costs a third of a second, which an up-to-date database need not pay.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise InvalidInputError(
            f"{path}: was made by a newer release (database revision {revision}); install that release or restore an "
            "older backup"
        ) from error


@contextmanager
def _translated(engine: Engine) -> Generator[None]:
    try:
        yield
    except OperationalError as error:
        raise StorageError(f"{engine.url.database}: {error.orig}; free space, or check who may write there") from error
    except DatabaseError as error:
        if "not a database" in str(error.orig) or "malformed" in str(error.orig):
            raise InvalidInputError(f"{engine.url.database}: is no database; restore it from a backup") from error
        raise
