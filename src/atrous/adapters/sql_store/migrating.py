"""Bringing a database up to date."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD_REVISION = "0007"
# Of no meaning but that nothing else in the database takes it.
MIGRATION_LOCK = 4_729_104_611


def migrate(connection: Connection, where: str, revision: str = HEAD_REVISION) -> None:
    """Run the migrations that a database lacks, in the transaction that is open; other processes wait for its end.

    Args:
        connection: in a transaction that holds SQLite's write lock.
        where: what the database is called in messages.
        revision: how far to go; it never goes back.

    Raises:
        InvalidInputError: if it was made by a newer release.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    found = find_revision(connection)
    if found == revision:
        return
    with _newer_refused(where, found or revision):
        _run("upgrade", connection, revision)


def unmake(connection: Connection, where: str, revision: str) -> None:
    """Take a database without rows back to an older revision, in the transaction that is open.

    Raises:
        InvalidInputError: if no release so far has known this revision.
    """
    if find_revision(connection) != revision:
        with _newer_refused(where, revision):
            _run("downgrade", connection, revision)


def find_revision(connection: Connection) -> str | None:
    """The revision that a database is at; None if it is empty."""
    known = inspect(connection).has_table("alembic_version")
    return connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None


def _run(direction: str, connection: Connection, revision: str) -> None:
    # Imported here because it costs a third of a second, which an up-to-date database need not pay.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    getattr(command, direction)(config, revision)


@contextmanager
def _newer_refused(where: str, revision: str) -> Generator[None]:
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        yield
    except CommandError as error:
        raise InvalidInputError(
            f"{where}: was made by a newer release (database revision {revision}); install that release or restore an "
            "older backup"
        ) from error
