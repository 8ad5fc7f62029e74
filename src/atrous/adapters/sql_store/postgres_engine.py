"""Connections to a PostgreSQL server."""

from __future__ import annotations

import ssl
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from atrous.adapters.sql_store.database import name_database, translated, watch_engine, write_json
from atrous.adapters.sql_store.migrating import migrate
from atrous.core.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import URL

SCHEMES = ("postgres", "postgresql", "postgresql+pg8000")
# Also of one statement's answer, so that a server that is gone without a word is noticed.
TIMEOUT_S = 60
# One server takes 100 connections unless told otherwise, and several of our processes share it.
POOL_SIZE = 5
POOL_OVERFLOW = 15
MODES: dict[str, bool | None] = {"disable": False, "allow": None, "prefer": None, "require": True}
VERIFIED = ("verify-ca", "verify-full")
OPTIONS = {"host", "sslmode", "sslrootcert", "application_name"}


def open_postgres(url: str) -> Engine:
    """Connect to a PostgreSQL database and run the migrations it lacks.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, as libpq takes it, with its `sslmode`, `sslrootcert`,
            `application_name`, and `host` for the folder of a socket.

    Raises:
        InvalidInputError: if the URL is none of PostgreSQL, or the database was made by a newer release.
        MissingExtraError: if this installation lacks the driver.
        UnavailableError: if it cannot be reached, or does not let us in.
    """
    engine = connect_postgres(url)
    with translated(engine), engine.begin() as connection:
        migrate(connection, name_database(engine))
    return engine


def connect_postgres(url: str) -> Engine:
    """A pool of connections to a PostgreSQL database, none of them open yet."""
    parsed = _read_url(url)
    try:
        engine = create_engine(
            parsed.set(query={}),
            connect_args=_read_options(parsed),
            json_serializer=write_json,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "PostgreSQL needs pg8000, which this installation lacks; install Atrous with its extra `postgres`, in a "
            "checkout by pip install '.[postgres]'"
        ) from error
    watch_engine(engine)
    event.listen(engine, "checkout", partial(_check_connection, engine.dialect.loaded_dbapi.Error))
    return engine


def _check_connection(driver_error: type[Exception], connection: Any, _record: Any, _fairy: Any) -> None:
    """Let the pool make a new connection where the server has ended an idle one.

    The pool's own check fails at what pg8000 raises then.
    """
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except (OSError, driver_error) as error:
        raise InvalidatePoolError("the server has ended the connection") from error


def _read_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause, which would show the password.
        raise _unfit_url() from None
    if parsed.drivername not in SCHEMES or not parsed.database:
        raise _unfit_url()
    return parsed.set(drivername="postgresql+pg8000")


def _unfit_url() -> InvalidInputError:
    return InvalidInputError("ATROUS_DATABASE_URL: is no URL of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE")


def _read_options(url: URL) -> dict[str, Any]:
    """What the driver calls the options of a URL."""
    unknown = sorted(set(url.query) - OPTIONS)
    if unknown:
        raise InvalidInputError(
            f"ATROUS_DATABASE_URL: has the option {unknown[0]}, which is not known; leave it out "
            f"(known: {', '.join(sorted(OPTIONS))})"
        )
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    options: dict[str, Any] = {"timeout": TIMEOUT_S, "application_name": query.get("application_name", "atrous")}
    host = query.get("host", "")
    if host.startswith("/"):
        options["unix_sock"] = f"{host}/.s.PGSQL.{url.port or 5432}"
    elif host:
        options["host"] = host
    options["ssl_context"] = _choose_encryption(query.get("sslmode", "prefer"), query.get("sslrootcert"))
    return options


def _choose_encryption(mode: str, root_certificate: str | None) -> ssl.SSLContext | bool | None:
    """What the driver calls an `sslmode`: None tries to encrypt, True insists."""
    if mode in MODES:
        return MODES[mode]
    if mode not in VERIFIED:
        raise InvalidInputError(f"ATROUS_DATABASE_URL: has the sslmode {mode!r}, which PostgreSQL does not know")
    try:
        context = ssl.create_default_context(cafile=root_certificate)
    except OSError as error:
        raise InvalidInputError(
            f"{root_certificate}: cannot be read as sslrootcert ({error}); correct ATROUS_DATABASE_URL"
        ) from error
    context.check_hostname = mode == "verify-full"
    return context
