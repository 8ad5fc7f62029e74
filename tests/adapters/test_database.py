from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from atrous.adapters.home import open_home
from atrous.adapters.sql_store import open_sqlite_store
from atrous.adapters.sql_store.migrating import HEAD_REVISION, MIGRATIONS
from atrous.adapters.sql_store.sqlite_engine import open_sqlite
from atrous.adapters.sql_store.tables import metadata
from atrous.core.errors import InvalidInputError, StorageError
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from pathlib import Path


def migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may come to lie."""
    return tmp_path / "atrous.db"


def make_database(path: Path) -> None:
    open_sqlite(path).dispose()


def make_database_of_the_first_release(path: Path) -> None:
    engine = open_sqlite(path)
    config = migrations()
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    engine.dispose()


def ask(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_the_head_revision_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migrations()).get_heads() == [HEAD_REVISION]


def test_a_new_database_is_at_the_head_revision(path: Path) -> None:
    make_database(path)
    assert ask(path, "SELECT version_num FROM alembic_version") == [(HEAD_REVISION,)]


def test_the_migrations_make_the_tables_that_the_store_uses(path: Path) -> None:
    with open_sqlite(path).begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_can_be_undone(path: Path) -> None:
    engine = open_sqlite(path)
    config = migrations()
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    make_database(path)
    assert ask(path, "SELECT version_num FROM alembic_version") == [(HEAD_REVISION,)]


def test_keys_of_the_first_release_may_do_everything(path: Path) -> None:
    make_database_of_the_first_release(path)
    ask(path, "INSERT INTO workspaces (slug) VALUES ('acme')")
    ask(path, "INSERT INTO keys VALUES ('k1', 'acme', 'camera', 'abcdef', 'digest', '2026-01-01 00:00:00', NULL)")
    store = open_sqlite_store(path)
    key = store.find_key("digest")
    assert key is not None
    assert (key.scope, key.requests_per_minute, key.name) == (Scope.ADMIN, None, "camera")


def test_pictures_of_the_first_release_can_be_changed(path: Path) -> None:
    make_database_of_the_first_release(path)
    ask(path, "INSERT INTO workspaces (slug) VALUES ('acme')")
    ask(path, "INSERT INTO projects VALUES (1, 'acme', 'road', '[\"background\"]', '2026-01-01 00:00:00')")
    ask(path, "INSERT INTO pictures VALUES (1, 1, 'a.png', 'a1', 'b2', 'train', 8, 8)")
    store = open_sqlite_store(path)
    (picture,) = store.list_pictures("acme", "road")
    assert store.change_picture("acme", picture.id, lambda before: replace(before, tags=("wet",))) is not None
    (changed,) = store.list_pictures("acme", "road")
    assert (changed.tags, changed.look) == (("wet",), b"")


def test_opening_again_changes_nothing(path: Path) -> None:
    make_database(path)
    before = ask(path, "SELECT sql FROM sqlite_master ORDER BY name")
    make_database(path)
    assert ask(path, "SELECT sql FROM sqlite_master ORDER BY name") == before


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    engine = open_sqlite(path)
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    with engine.execution_options(writes=True).begin() as writer:
        writer.exec_driver_sql("INSERT INTO workspaces (slug) VALUES ('acme')")
        with engine.begin() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM workspaces").scalar() == 0
    engine.dispose()


def test_rows_that_belong_to_nothing_are_refused(path: Path) -> None:
    engine = open_sqlite(path)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO trainings (id, workspace, project, version, recipe, state, created) "
            "VALUES ('t1', 'nobody', 'road', 1, '{}', 'done', '')"
        )
    engine.dispose()


def test_a_database_of_a_newer_release_is_refused_and_left_alone(path: Path) -> None:
    make_database(path)
    ask(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InvalidInputError, match=r"atrous\.db: was made by a newer release \(database revision 9999\)"):
        open_sqlite(path)
    assert ask(path, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"These are the notes of somebody. " * 100)
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match=r"atrous\.db: is no database; restore it"):
        open_sqlite(path)
    assert path.read_bytes() == before


def test_a_truncated_database_is_refused(path: Path) -> None:
    make_database(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InvalidInputError, match=r"atrous\.db: is no database"):
        open_sqlite(path)


def test_a_path_that_cannot_be_a_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StorageError, match=r"atrous\.db"):
        open_sqlite(path)


def test_a_home_that_cannot_be_made_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="set ATROUS_HOME"):
        open_home(tmp_path / "file" / "home")


@pytest.mark.parametrize("name", ["what?", "a#b", "100%20", "a;b=c&d", "leer zeichen", "пути"])
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    open_home(home).store.add_workspace("acme")
    assert (home / "atrous.db").is_file()
    assert open_home(home).store.list_workspaces() == ["acme"]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    open_home(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0
