"""All rows of all tables as plain values, out of one kind of database and into another."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, DateTime, Integer, LargeBinary, MetaData, Table, func, insert, select, text

from atrous.adapters.sql_store.database import SqlTable, name_database, translated, utc
from atrous.adapters.sql_store.deployments import forget_hosts
from atrous.adapters.sql_store.migrating import HEAD_REVISION, find_revision, migrate, unmake
from atrous.adapters.sql_store.tables import metadata
from atrous.core.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

ROWS_AT_ONCE = 1000


class SqlSnapshot:
    """All rows as they were at one moment, while its transaction is open."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.revision = find_revision(connection) or HEAD_REVISION
        self.tables = tuple(table.name for table in metadata.sorted_tables)

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table as values of JSON: times in ISO 8601, bytes in hexadecimal digits."""
        of_table = metadata.tables[table]
        statement = select(of_table).order_by(*of_table.primary_key.columns)
        # As much as is read ahead, of which PostgreSQL's driver would otherwise take all.
        for row in self._connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement).mappings():
            yield {str(name): _write(value) for name, value in row.items()}


class SqlSnapshots(SqlTable):
    """Rows of every kind, as plain values."""

    @contextmanager
    def open_snapshot(self) -> Generator[SqlSnapshot]:
        """See all rows as they are now, whatever others change meanwhile."""
        # A transaction of SQLite sees one moment by itself.
        options = {"isolation_level": "REPEATABLE READ"} if self._engine.dialect.name == "postgresql" else {}
        with translated(self._engine), self._engine.execution_options(**options).begin() as connection:
            yield SqlSnapshot(connection)

    def load_rows(self, revision: str, tables: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> None:
        """Fill an empty store with what a snapshot gave, also one of an older release; all of it or nothing.

        Raises:
            ConflictError: if the store is not empty.
            InvalidInputError: if the rows are of a newer release.
        """
        where = name_database(self._engine)
        with self._write() as connection:
            if any(connection.execute(select(table).limit(1)).first() for table in metadata.sorted_tables):
                raise ConflictError(f"{where}: is not empty; name an empty database, or another home")
            unmake(connection, where, revision)
            then = MetaData()
            then.reflect(connection)
            for name, rows in tables:
                if name not in then.tables:
                    raise InvalidInputError(f"table {name!r}: is not known at revision {revision}; take another backup")
                _load_table(connection, then.tables[name], iter(rows))
            migrate(connection, where)
            forget_hosts(connection)


def _load_table(connection: Connection, table: Table, rows: Iterator[Mapping[str, Any]]) -> None:
    kinds = {column.name: column.type for column in table.columns}
    while some := list(islice(rows, ROWS_AT_ONCE)):
        values = [{name: _read(value, kinds[name]) for name, value in row.items() if name in kinds} for row in some]
        connection.execute(insert(table), values)
    if connection.dialect.name == "postgresql":
        _go_on_counting(connection, table)


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL give numbers after those that were loaded."""
    keys = list(table.primary_key.columns)
    if len(keys) != 1 or not isinstance(keys[0].type, Integer):
        return
    last = connection.scalar(select(func.max(keys[0])))
    if last is not None:
        place = {"table": table.name, "column": keys[0].name, "last": last}
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"), place)


def _write(value: Any) -> Any:
    match value:
        case datetime():
            return utc(value).isoformat()
        case bytes():
            return value.hex()
        case _:
            return value


def _read(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value)
    return bytes.fromhex(value) if isinstance(kind, LargeBinary) else value
