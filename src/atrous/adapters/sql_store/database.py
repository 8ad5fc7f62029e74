"""Transactions, what may go wrong in them, and what the two kinds of database do differently."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from atrous.core.errors import AtrousError, ConflictError, InvalidInputError, StorageError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy.engine import ExceptionContext

# What PostgreSQL's columns hold; SQLite's hold more.
MAX_INTEGER = 2**31 - 1
SQLITE_VIOLATIONS = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY")
VIOLATIONS = ("23503", "23505")
# Class 22 is data, 54 a limit of PostgreSQL such as the length of what an index holds.
DATA_CLASSES = ("22", "54")
# Disk full, read only, no right.
REFUSALS = ("53100", "25006", "42501")
DEADLOCKS = ("40001", "40P01", "55P03")
# Connection, resources, operator; wrong password and no such database, which somebody is about to mend.
UNAVAILABLE_CLASSES = ("08", "53", "57", "28", "3D")
LOST_CLASSES = ("08", "57P")


class SqlTable:
    """A part of the store that speaks through one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)

    def close(self) -> None:
        """Close all connections that nobody uses."""
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Generator[Connection]:
        """A transaction that is committed as a whole or not at all.

        Raises:
            ConflictError: if a row is there already, or what it belongs to is not.
            InvalidInputError: if the database cannot hold a value.
            StorageError: if the database refuses to write.
            UnavailableError: if it cannot be reached or is too busy.
        """
        with translated(self._engine), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Generator[Connection]:
        with translated(self._engine), self._engine.begin() as connection:
            yield connection


def utc(moment: datetime) -> datetime:
    """A stored time in UTC: SQLite keeps no zone, PostgreSQL gives the session's."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def utc_or_none(moment: datetime | None) -> datetime | None:
    """The same for a time that may not be."""
    return utc(moment) if moment else None


def insert_or_ignore(connection: Connection, table: Table, *unique: str) -> Any:
    """An insert that leaves out rows whose values in these columns are there already."""
    return _insert(connection, table).on_conflict_do_nothing(index_elements=unique)


def insert_or_replace(connection: Connection, table: Table, row: dict[str, Any], *unique: str) -> Any:
    """An insert that overwrites the row whose values in these columns are there already."""
    rest = {name: value for name, value in row.items() if name not in unique}
    return _insert(connection, table).values(row).on_conflict_do_update(index_elements=unique, set_=rest)


def insert_or_add(connection: Connection, table: Table, *unique: str) -> Any:
    """An insert that adds to the figures of the row whose values in these columns are there already."""
    statement = _insert(connection, table)
    rest = [column for column in table.columns if column.name not in unique]
    sums = {column.name: column + statement.excluded[column.name] for column in rest}
    return statement.on_conflict_do_update(index_elements=unique, set_=sums)


def write_json(value: Any) -> str:
    """JSON as both databases take it: figures that are no numbers, as of a training that diverged, become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), allow_nan=False)


def name_database(engine: Engine) -> str:
    """What a database is called in messages; never with its password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


def watch_engine(engine: Engine) -> None:
    """Refuse texts that PostgreSQL cannot hold, and see when the server has ended a connection."""
    event.listen(engine, "before_cursor_execute", _refuse_nul)
    event.listen(engine, "handle_error", _note_loss)


@contextmanager
def translated(engine: Engine) -> Generator[None]:
    """Turn what a driver has to say into a sentence."""
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError(f"{name_database(engine)}: is too busy; try again") from error
    except (ConnectionError, TimeoutError) as error:
        raise _unreachable(name_database(engine), error.strerror) from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise _unfit(str(error)) from error
    except DBAPIError as error:
        explained = _explain(error, name_database(engine))
        if explained is None:
            raise
        raise explained from error


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _without_nan(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_nan(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_without_nan(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def _refuse_nul(*call: Any) -> None:
    _, _, _, parameters, _, executemany = call
    rows: Sequence[Sequence[Any]] = parameters if executemany else (parameters,)
    for values in rows:
        if any(isinstance(value, str) and "\0" in value for value in values):
            raise InvalidInputError("a text holds the character NUL, which cannot be kept; leave it out")


def _note_loss(context: ExceptionContext) -> None:
    error = context.original_exception
    # pg8000 lets some errors of its socket through as they are.
    if isinstance(error, OSError) or find_sqlstate(error).startswith(LOST_CLASSES):
        context.is_disconnect = True


def find_sqlstate(error: BaseException | None) -> str:
    """The five characters that PostgreSQL names an error by; empty for others."""
    told = error.args[0] if error is not None and error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""  # pyright: ignore[reportUnknownArgumentType]


def _explain(error: DBAPIError, where: str) -> AtrousError | None:
    return _explain_postgres(error, where) if "pg8000" in type(error.orig).__module__ else _explain_sqlite(error, where)


def _explain_sqlite(error: DBAPIError, where: str) -> AtrousError | None:
    if isinstance(error, OperationalError):
        return StorageError(f"{where}: {error.orig}; free space, or check who may write there")
    if getattr(error.orig, "sqlite_errorname", "") in SQLITE_VIOLATIONS:
        return _violation()
    if "not a database" in str(error.orig) or "malformed" in str(error.orig):
        return InvalidInputError(f"{where}: is no database; restore it from a backup")
    return None


def _explain_postgres(error: DBAPIError, where: str) -> AtrousError | None:
    code = find_sqlstate(error.orig)
    told: Any = error.orig.args[0] if error.orig and error.orig.args else ""
    reason = told.get("M", "") if code else told
    if code in VIOLATIONS:
        return _violation()
    if code.startswith(DATA_CLASSES):
        return _unfit(reason)
    if code in REFUSALS:
        return StorageError(f"{where}: refuses to write ({reason}); free space, or check what its user may do")
    if code in DEADLOCKS:
        return UnavailableError(f"{where}: is busy with another change of the same rows; try again")
    if code.startswith(UNAVAILABLE_CLASSES) or isinstance(error, InterfaceError):
        return _unreachable(where, reason)
    return None


def _unreachable(where: str, reason: object) -> UnavailableError:
    return UnavailableError(f"{where}: cannot be had ({reason}); see that it runs and lets us in, then try again")


def _violation() -> ConflictError:
    return ConflictError("it exists already, or what it belongs to was removed meanwhile; look again")


def _unfit(reason: str) -> InvalidInputError:
    return InvalidInputError(f"a text or number cannot be kept ({reason}); send a shorter or smaller one")
