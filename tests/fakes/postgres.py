"""A throw-away PostgreSQL server on this machine, shared by all tests of a run."""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from atrous.adapters.sql_store import SqlStore, open_postgres_store

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = "atrous_template"
START_TIMEOUT_S = 60
ENGINES_AT_ONCE = 16
# One user has to say a password; who comes as another is believed.
ACCESS = """
host all stranger 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
}


@dataclass(eq=False)
class PostgresServer:
    """A running server; `end` and `start` stand for an outage."""

    program: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, user: str = "postgres", password: str = "") -> str:
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = [f"-c{name}={value}" for name, value in OPTIONS.items()]
        command = [str(self.program / "postgres"), "-D", str(self.folder), "-p", str(self.port), *options]
        with (self.folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **_owner())
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder.parent / "log").read_text()
            assert time.monotonic() < deadline_s, "PostgreSQL did not start"
            time.sleep(0.05)

    def end(self) -> None:
        """End it at once, and with it every connection."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=START_TIMEOUT_S)

    def run(self, *statements: str) -> None:
        """Run statements that stand in no transaction, as the administrator."""
        with _administrator(self).connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def _answers(self) -> bool:
        engine = create_engine(self.url("postgres").replace("postgresql:", "postgresql+pg8000:"))
        try:
            engine.connect().close()
        except (SQLAlchemyError, OSError):
            return False
        finally:
            engine.dispose()
        return True


def require_postgres() -> PostgresServer:
    """The server; the test is skipped where PostgreSQL is not installed."""
    server = _start_server()
    if server is None:
        pytest.skip("PostgreSQL is not installed (Debian's package is postgresql)")
    return server


def make_database(*, empty: bool = False) -> str:
    """The URL of a new database, with all tables unless it is to be empty."""
    server = require_postgres()
    name = f"atrous_{next(_numbers)}"
    source = "template0" if empty else _make_template(server)
    server.run(f"CREATE DATABASE {name} TEMPLATE {source}")
    return server.url(name)


def open_postgres_for_test() -> SqlStore:
    """An empty store in a database of its own."""
    store = open_postgres_store(make_database())
    _opened.append(store._engine)
    # Tests leave their connections open, and a server has only so many.
    if len(_opened) > ENGINES_AT_ONCE:
        _opened.pop(0).dispose()
    return store


_numbers: Iterator[int] = itertools.count()
_opened: list[Engine] = []


@cache
def _start_server() -> PostgresServer | None:
    program = _find_programs()
    if program is None:
        return None
    home = Path(tempfile.mkdtemp(prefix="atrous-postgres-"))
    folder = home / "data"
    folder.mkdir()
    owner = _owner()
    if owner:
        for path in (home, folder):
            os.chown(path, owner["user"], owner["group"])
    command = [program / "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*map(str, command), "--locale=C.UTF-8"], check=True, capture_output=True, cwd=home, **owner)
    (folder / "pg_hba.conf").write_text(ACCESS)
    server = PostgresServer(program, folder, _free_port())
    server.start()
    atexit.register(_remove, server, os.getpid())
    return server


def _find_programs() -> Path | None:
    """The newest version's folder; Debian keeps them off the path."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    found += [Path(on_path).resolve().parent] if on_path else []
    return max(found, key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0, default=None)


def _owner() -> dict[str, Any]:
    """Who runs it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _remove(server: PostgresServer, owner_pid: int) -> None:
    if os.getpid() == owner_pid:
        server.end()
        shutil.rmtree(server.folder.parent, ignore_errors=True)


@cache
def _administrator(server: PostgresServer) -> Engine:
    url = server.url("postgres").replace("postgresql:", "postgresql+pg8000:")
    return create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)


@cache
def _make_template(server: PostgresServer) -> str:
    # What a migration that failed has left would hide why it did.
    server.run(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)", f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    open_postgres_store(server.url(TEMPLATE))._engine.dispose()
    return TEMPLATE
