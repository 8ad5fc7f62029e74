"""Ports below a folder of the test: the real store, and twins of what else the rules touch.

The store is SQLite's, or PostgreSQL's where the variable ATROUS_TEST_STORE is `postgres`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from atrous.adapters.sql_store import SqlStore, open_sqlite_store
from atrous.adapters.sql_store.sqlite_engine import open_sqlite
from atrous.core.errors import NotFoundError
from atrous.workspace.ports import Ports
from atrous.workspace.records import Training, TrainingState
from tests.fakes.postgres import open_postgres_for_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeBlobs:
    """Bytes in a dict; a file is written only when its path is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes: dict[str, bytes] = {}
        self.put_at: dict[str, datetime] = {}

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self._bytes[sha256] = data
        self.put_at[sha256] = datetime.now(UTC)
        return sha256

    def get(self, sha256: str) -> bytes:
        if sha256 not in self._bytes:
            raise NotFoundError(f"blob {sha256}: not found")
        return self._bytes[sha256]

    def put_file(self, path: Path) -> str:
        return self.put(path.read_bytes())

    def verify(self, sha256: str) -> bool:
        return hashlib.sha256(self.get(sha256)).hexdigest() == sha256

    def has(self, sha256: str) -> bool:
        return sha256 in self._bytes

    def list(self) -> Iterator[str]:
        return iter(list(self._bytes))

    def find_age(self, sha256: str, now: datetime) -> timedelta | None:
        return now - self.put_at[sha256] if sha256 in self._bytes else None

    def remove(self, sha256: str) -> None:
        self._bytes.pop(sha256, None)

    def path(self, sha256: str) -> Path:
        data = self.get(sha256)
        path = self._folder / sha256
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = Path(mkdtemp(dir=self._folder), sha256)
            draft.write_bytes(data)
            draft.replace(path)
        return path


class FakeBundles:
    """Published folders, moved under a folder of the test as the real twin moves them under the home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        target = self._folder / workspace / slug
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)

    def locate(self, workspace: str, slug: str) -> Path:
        target = self._folder / workspace / slug
        if not target.is_dir():
            raise NotFoundError(f"model {workspace}/{slug}: its folder is gone")
        return target

    def list(self) -> Iterator[tuple[str, str]]:
        return ((path.parent.name, path.name) for path in self._folder.glob("*/*"))

    def find_age(self, workspace: str, slug: str, now: datetime) -> timedelta | None:
        target = self._folder / workspace / slug
        return now - datetime.fromtimestamp(target.stat().st_mtime, UTC) if target.is_dir() else None

    def remove(self, workspace: str, slug: str) -> None:
        shutil.rmtree(self._folder / workspace / slug, ignore_errors=True)


class FakeClock:
    """A second later each time it is asked."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


@cache
def _empty_database() -> bytes:
    """A migrated file without rows; copied, as the migrations take a while."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "atrous.db")
        open_sqlite(path).dispose()
        return path.read_bytes()


def open_new_store(folder: Path) -> SqlStore:
    """The real store, empty: a file of its own below the folder, or a database of its own."""
    if os.environ.get("ATROUS_TEST_STORE") == "postgres":
        return open_postgres_for_test()
    return open_new_sqlite(folder)


def open_new_sqlite(folder: Path) -> SqlStore:
    """The same in a file, whatever the variable says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(mkdtemp(dir=folder), "atrous.db")
    path.write_bytes(_empty_database())
    return open_sqlite_store(path)


def engine_of(ports: Ports) -> Engine:
    """The database of fake ports, for another store on the same rows."""
    assert isinstance(ports.store, SqlStore)
    return ports.store._engine


def add_training(ports: Ports, training_id: str = "t1", *, workspace: str = "acme", version: int = 1) -> None:
    """A training that is over, as a model needs one to come from."""
    if ports.store.find_training(workspace, training_id) is None:
        done = TrainingState.DONE
        training = Training(training_id, workspace, "road", version, {}, done, ports.clock.now())
        ports.store.add_training(training)


def fake_ports(folder: Path) -> Ports:
    """Empty ports; what needs a path lies under the folder."""
    store = open_new_store(folder)
    return Ports(
        store=store,
        queue=store,
        blobs=FakeBlobs(folder / "blobs"),
        bundles=FakeBundles(folder / "models"),
        clock=FakeClock(),
    )
