"""What is PostgreSQL's alone: how it is found, what happens when it goes away, what it holds and what it does not."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from tests.adapters.rows import make_key, make_picture, make_project, make_training, sha256, version_maker
from tests.fakes.ports import open_new_sqlite
from tests.fakes.postgres import make_database, open_postgres_for_test, require_postgres

from atrous.adapters.sql_store import SqlStore, open_postgres_store
from atrous.adapters.sql_store.migrating import HEAD_REVISION, MIGRATIONS
from atrous.adapters.sql_store.postgres_engine import open_postgres
from atrous.adapters.sql_store.tables import metadata
from atrous.core.errors import ConflictError, InvalidInputError, UnavailableError
from atrous.workspace.workspaces import ensure_first_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.postgres import PostgresServer

    from atrous.core.class_map import ClassMap


@pytest.fixture
def server() -> PostgresServer:
    return require_postgres()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with the workspace `acme` and the project `road`: what one database refuses the other refuses too."""
    opened = open_new_sqlite(tmp_path) if request.param == "sqlite" else open_postgres_for_test()
    opened.add_workspace("acme")
    opened.add_project(make_project())
    yield opened
    opened.close()


# Migrations


def test_the_migrations_make_the_tables_that_the_store_uses() -> None:
    engine = open_postgres(make_database(empty=True))
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrations_can_be_undone() -> None:
    url = make_database()
    engine = open_postgres(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    open_postgres(url).dispose()
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD_REVISION
    engine.dispose()


def test_many_may_open_a_new_database_at_once() -> None:
    url = make_database(empty=True)
    start = threading.Barrier(6)

    def open_it(_: int) -> SqlStore:
        start.wait(timeout=30)
        return open_postgres_store(url)

    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(open_it, range(6)))
    stores[0].add_workspace("acme")
    assert [store.list_workspaces() for store in stores] == [["acme"]] * 6
    for store in stores:
        store.close()


def test_a_database_of_a_newer_release_is_refused() -> None:
    url = make_database()
    engine = open_postgres(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InvalidInputError, match=r"was made by a newer release \(database revision 9999\)"):
        open_postgres(url)
    engine.dispose()


# How it is found


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "mysql://user:swordfish@host/db",
        "sqlite:///swordfish.db",
        "postgresql://user:swordfish@host:port/db",
        "postgresql://user:swordfish@host/db?sslmode=swordfish?",
        "postgresql://user:swordfish@host/db?colour=red",
        "swordfish",
    ],
)
def test_a_url_of_another_form_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError, match="ATROUS_DATABASE_URL") as raised:
        open_postgres(url)
    assert "swordfish@" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+pg8000"])
def test_the_usual_names_of_the_scheme_are_taken(scheme: str) -> None:
    url = make_database().replace("postgresql:", f"{scheme}:")
    open_postgres(f"{url}?sslmode=prefer&application_name=test").dispose()


def test_a_server_without_tls_is_refused_where_tls_was_asked_for() -> None:
    with pytest.raises(UnavailableError, match="SSL"):
        open_postgres(make_database() + "?sslmode=require")


def test_nobody_there_is_said_without_the_password() -> None:
    with pytest.raises(UnavailableError, match="cannot be had") as raised:
        open_postgres("postgresql://user:swordfish@127.0.0.1:1/db")
    assert "swordfish" not in str(raised.value)
    assert "user@127.0.0.1:1/db" in str(raised.value)


def test_a_wrong_password_is_said_without_it(server: PostgresServer) -> None:
    server.run("DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN PASSWORD 'right'")
    with pytest.raises(UnavailableError, match='password authentication failed for user "stranger"') as raised:
        open_postgres(server.url("postgres", "stranger", "swordfish"))
    assert "swordfish" not in str(raised.value)


def test_a_database_that_is_not_there_is_named(server: PostgresServer) -> None:
    with pytest.raises(UnavailableError, match='database "nowhere" does not exist'):
        open_postgres(server.url("nowhere"))


# When it goes away


def test_connections_that_the_server_ended_are_made_anew(server: PostgresServer) -> None:
    store = open_postgres_for_test()
    store.add_workspace("acme")
    name = store._engine.url.database
    server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    assert store.list_workspaces() == ["acme"]


def test_a_connection_that_ends_in_the_middle_keeps_nothing_and_the_next_one_works(server: PostgresServer) -> None:
    store = open_postgres_for_test()
    name = store._engine.url.database

    def write() -> None:
        with store._write() as connection:
            connection.execute(text("INSERT INTO workspaces (slug) VALUES ('acme')"))
            server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            connection.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError, match="cannot be had"):
        write()
    assert store.list_workspaces() == []


def test_an_outage_is_said_and_outlived(server: PostgresServer) -> None:
    store = open_postgres_for_test()
    store.add_workspace("acme")
    server.end()
    try:
        with pytest.raises(UnavailableError, match="see that it runs"):
            store.list_workspaces()
    finally:
        server.start()
    assert store.list_workspaces() == ["acme"]


def test_more_threads_than_connections_wait_for_each_other() -> None:
    store = open_postgres_for_test()
    store.add_workspace("acme")
    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(lambda _: store.list_workspaces(), range(200))) == [["acme"]] * 200


# What both hold, and what neither does


def test_a_text_with_nul_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInputError, match="NUL"):
        store.add_key(make_key(name="a\0b"), sha256("1"))
    with pytest.raises(InvalidInputError, match="NUL"):
        store.find_project("acme", "ro\0ad")


def test_a_text_that_is_no_unicode_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInputError, match="cannot be kept"):
        store.add_pictures("acme", "road", [make_picture("\ud800.jpg", "image")])


@pytest.mark.parametrize("value", ["\0", "\ud800", "😀", '"', "\\u0000"])
def test_metadata_hold_any_text(store: SqlStore, value: str) -> None:
    if value in {"\0", "\ud800"}:
        with pytest.raises(InvalidInputError):
            store.add_pictures("acme", "road", [make_picture("a.jpg", metadata={"x": value})])
        return
    picture = make_picture("a.jpg", metadata={"x": value})
    store.add_pictures("acme", "road", [picture])
    assert store.list_pictures("acme", "road")[0].metadata == {"x": value}


def test_figures_that_are_no_numbers_become_null(store: SqlStore) -> None:
    epochs = ({"loss": float("nan"), "parts": [float("inf"), 1.5]},)
    store.add_training(make_training(epochs=epochs))
    (training,) = store.list_trainings("acme", "road", 1)
    assert training.epochs == ({"loss": None, "parts": [None, 1.5]},)


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
def test_no_version_has_a_huge_number(store: SqlStore, number: int) -> None:
    assert store.find_version("acme", "road", number) is None


def test_a_row_of_nobody_is_a_conflict(store: SqlStore) -> None:
    with pytest.raises(ConflictError, match="what it belongs to was removed"):
        store.add_training(make_training(workspace="nobody"))
    store.add_training(make_training())
    with pytest.raises(ConflictError, match="exists already"):
        store.add_training(make_training())


def test_names_are_sorted_by_their_characters(store: SqlStore) -> None:
    names = ["B.jpg", "_.jpg", "a b.jpg", "a-b.jpg", "ab.jpg", "b.jpg", "ä.jpg"]
    store.add_pictures("acme", "road", [make_picture(name) for name in reversed(names)])
    assert [picture.name for picture in store.list_pictures("acme", "road")] == sorted(names)


def test_two_who_change_the_same_pictures_in_another_order_both_succeed(store: SqlStore) -> None:
    pictures = [make_picture(f"{number}.jpg") for number in range(30)]
    store.add_pictures("acme", "road", pictures)
    start = threading.Barrier(4)

    def change(number: int) -> None:
        changed = [replace(picture, tags=(f"by {number}",)) for picture in pictures]
        start.wait(timeout=30)
        for _ in range(5):
            store.update_pictures("acme", "road", changed[::-1] if number % 2 else changed)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(4)))
    tags = {picture.tags for picture in store.list_pictures("acme", "road")}
    assert len(tags) == 1


def test_two_who_bring_the_same_pictures_in_another_order_both_succeed(store: SqlStore) -> None:
    start = threading.Barrier(4)

    def add(number: int) -> int:
        start.wait(timeout=30)
        new = 0
        for part in range(5):
            pictures = [make_picture(f"{part} {one}.jpg", tags=("x",)) for one in range(20)]
            new += store.add_pictures("acme", "road", pictures[::-1] if number % 2 else pictures)
        return new

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 100


def test_classes_that_come_at_once_all_stay(store: SqlStore) -> None:
    start = threading.Barrier(4)

    def extend(number: int) -> ClassMap:
        start.wait(timeout=30)
        return store.extend_classes("acme", "road", [f"class {number}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(extend, range(4)))
    project = store.find_project("acme", "road")
    assert project is not None
    assert {f"class {number}" for number in range(4)} <= set(project.class_map.names)


def test_a_version_outlives_its_zone(store: SqlStore) -> None:
    made = store.add_version(version_maker(), "acme", "road")
    found = store.find_version("acme", "road", 1)
    assert found == made
    assert found is not None
    assert str(found.created) == str(made.created)


def test_processes_that_start_at_once_agree_on_the_first_workspace() -> None:
    from atrous.workspace.ports import Ports

    url = make_database()
    stores = [open_postgres_store(url) for _ in range(4)]
    start = threading.Barrier(4)

    def begin(store: SqlStore) -> str:
        start.wait(timeout=30)
        return ensure_first_workspace(Ports(store, None, None, None, store))  # type: ignore[arg-type]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(begin, stores)) == {"main"}
    for store in stores:
        store.close()
