"""What the rules ask of a store."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.adapters.rows import (
    CLASS_MAP,
    NOON,
    later,
    make_key,
    make_model,
    make_picture,
    make_project,
    make_training,
    sha256,
    version_maker,
)
from tests.fakes.ports import open_new_sqlite
from tests.fakes.postgres import open_postgres_for_test

from atrous.adapters.sql_store import open_sqlite_store
from atrous.core.class_map import ClassMap
from atrous.core.errors import ConflictError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split, SplitRule
from atrous.workspace.records import Scope, TrainingState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atrous.workspace.ports import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with the workspaces `acme` and `other`."""
    opened = open_new_sqlite(tmp_path) if request.param == "sqlite" else open_postgres_for_test()
    opened.add_workspace("acme")
    opened.add_workspace("other")
    yield opened
    opened._engine.dispose()


# Workspaces


def test_workspaces_are_listed_oldest_first(store: Store) -> None:
    store.add_workspace("aaa")
    assert store.list_workspaces() == ["acme", "other", "aaa"]


def test_a_workspace_exists_once(store: Store) -> None:
    with pytest.raises(ConflictError, match="acme"):
        store.add_workspace("acme")
    assert store.list_workspaces() == ["acme", "other"]


# Keys


def test_a_key_is_found_by_the_hash_of_its_secret_alone(store: Store) -> None:
    key = make_key()
    store.add_key(key, sha256("secret"))
    assert store.find_key(sha256("secret")) == key
    assert store.find_key(sha256("guess")) is None
    assert store.find_key("secret") is None


def test_a_key_keeps_its_scope_and_its_rate(store: Store) -> None:
    key = make_key(scope=Scope.MANAGE, requests_per_minute=60)
    store.add_key(key, sha256("secret"))
    assert store.find_key(sha256("secret")) == key
    assert store.list_keys("acme") == [key]


def test_keys_are_listed_by_workspace_oldest_first(store: Store) -> None:
    first, second = make_key("zz", created=NOON), make_key("aa", created=later(1))
    store.add_key(first, sha256("1"))
    store.add_key(second, sha256("2"))
    store.add_key(make_key("k3", "other"), sha256("3"))
    assert store.list_keys("acme") == [first, second]
    assert store.list_keys("nobody") == []


def test_a_revoked_key_stays_and_tells_since_when(store: Store) -> None:
    store.add_key(make_key(), sha256("secret"))
    assert store.revoke_key("acme", "k1", later(5))
    for found in (store.find_key(sha256("secret")), store.list_keys("acme")[0]):
        assert found is not None
        assert found.revoked == later(5)


def test_a_key_is_revoked_once_and_keeps_its_date(store: Store) -> None:
    store.add_key(make_key(), sha256("secret"))
    assert store.revoke_key("acme", "k1", later(5))
    assert not store.revoke_key("acme", "k1", later(9))
    assert store.list_keys("acme")[0].revoked == later(5)


def test_no_workspace_revokes_the_key_of_another(store: Store) -> None:
    store.add_key(make_key(), sha256("secret"))
    assert not store.revoke_key("other", "k1", later(5))
    assert not store.revoke_key("acme", "k2", later(5))
    assert store.list_keys("acme")[0].revoked is None


# Projects and pictures


def test_a_project_is_found_in_its_workspace_alone(store: Store) -> None:
    project = make_project()
    store.add_project(project)
    assert store.find_project("acme", "road") == project
    assert store.find_project("other", "road") is None
    assert store.find_project("acme", "sea") is None


def test_a_project_exists_once_in_a_workspace(store: Store) -> None:
    store.add_project(make_project())
    with pytest.raises(ConflictError, match="road"):
        store.add_project(make_project(class_map=ClassMap(("background", "sea"))))
    store.add_project(make_project(workspace="other"))
    assert store.find_project("acme", "road") == make_project()


def test_projects_are_listed_oldest_first(store: Store) -> None:
    for slug in ("sea", "air"):
        store.add_project(make_project(slug))
    store.add_project(make_project("land", "other"))
    assert [project.slug for project in store.list_projects("acme")] == ["sea", "air"]


def test_a_new_class_map_is_that_of_one_project(store: Store) -> None:
    for project in (make_project(), make_project(workspace="other"), make_project("sea")):
        store.add_project(project)
    grown = ClassMap((*CLASS_MAP.names, "路"))
    store.set_class_map("acme", "road", grown)
    assert store.list_projects("acme")[0].class_map == grown
    assert store.list_projects("acme")[1].class_map == CLASS_MAP
    assert store.list_projects("other")[0].class_map == CLASS_MAP


def test_pictures_come_in_order_of_name_then_of_hash(store: Store) -> None:
    store.add_project(make_project())
    names = ["b.jpg", "a.jpg", "ü.jpg", "B.jpg", "a.jpg", "😀.jpg", "\uffee.jpg"]
    pictures = [make_picture(name, f"image {index}") for index, name in enumerate(names)]
    assert store.add_pictures("acme", "road", pictures) == 7
    expected = sorted(pictures, key=lambda picture: (picture.name, picture.image_sha256))
    assert store.list_pictures("acme", "road") == expected


def test_a_picture_comes_back_as_it_was_kept(store: Store) -> None:
    store.add_project(make_project())
    picture = make_picture("a.jpg", split=Split.TEST, size=Size(height=7, width=9), mask_sha256=sha256("other mask"))
    store.add_pictures("acme", "road", [picture])
    assert store.list_pictures("acme", "road") == [picture]


def test_an_image_is_in_a_project_once_and_the_first_stays(store: Store) -> None:
    store.add_project(make_project())
    first = make_picture("a.jpg", "image")
    twin = make_picture("b.jpg", "image", split=Split.VALID, mask_sha256=sha256("other mask"))
    assert store.add_pictures("acme", "road", [first, twin]) == 1
    assert store.add_pictures("acme", "road", [twin, make_picture("c.jpg")]) == 1
    assert store.list_pictures("acme", "road") == [first, make_picture("c.jpg")]


def test_the_same_image_may_be_in_two_projects(store: Store) -> None:
    for project in (make_project(), make_project("sea"), make_project(workspace="other")):
        store.add_project(project)
        assert store.add_pictures(project.workspace, project.slug, [make_picture("a.jpg")]) == 1
    assert len(store.list_pictures("acme", "road")) == 1


def test_no_pictures_are_none(store: Store) -> None:
    store.add_project(make_project())
    assert store.add_pictures("acme", "road", []) == 0
    assert store.list_pictures("acme", "road") == []


# Versions


def test_versions_are_numbered_from_1_in_each_project(store: Store) -> None:
    for project in (make_project(), make_project("sea"), make_project(workspace="other")):
        store.add_project(project)
    numbers = [store.add_version(version_maker(), "acme", "road").number for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert store.add_version(version_maker("sea"), "acme", "sea").number == 1
    assert store.add_version(version_maker(workspace="other"), "other", "road").number == 1


def test_a_version_comes_back_as_it_was_made(store: Store) -> None:
    store.add_project(make_project())
    made = store.add_version(version_maker(), "acme", "road")
    assert made == version_maker()(1)
    assert store.find_version("acme", "road", 1) == made
    assert store.list_versions("acme", "road") == [made]


def test_a_version_is_seen_in_its_project_and_workspace_alone(store: Store) -> None:
    for project in (make_project(), make_project("sea"), make_project(workspace="other")):
        store.add_project(project)
    store.add_version(version_maker(), "acme", "road")
    for number in (2, 0, -1, 10**20):
        assert store.find_version("acme", "road", number) is None
    for place in (("acme", "sea"), ("other", "road"), ("nobody", "road"), ("acme", "nothing")):
        assert store.find_version(*place, 1) is None
        assert store.list_versions(*place) == []


def test_a_version_that_cannot_be_made_takes_no_number(store: Store) -> None:
    store.add_project(make_project())

    def fail(_: int) -> None:
        raise RuntimeError("no content")

    with pytest.raises(RuntimeError):
        store.add_version(fail, "acme", "road")  # type: ignore[arg-type]
    assert store.add_version(version_maker(), "acme", "road").number == 1


def test_threads_get_no_number_twice(store: Store) -> None:
    store.add_project(make_project())
    start = threading.Barrier(8)

    def add(_: int) -> list[int]:
        start.wait(timeout=30)
        return [store.add_version(version_maker(), "acme", "road").number for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(number for added in pool.map(add, range(8)) for number in added)
    assert numbers == list(range(1, 41))
    assert [version.number for version in store.list_versions("acme", "road")] == numbers


# Trainings


def test_trainings_of_a_version_are_listed_oldest_first(store: Store) -> None:
    first, second = make_training("zz"), make_training("aa", state=TrainingState.FAILED, error="no space")
    for training in (first, second, make_training("t3", version=2), make_training("t4", "other")):
        store.add_training(training)
    assert store.list_trainings("acme", "road", 1) == [first, second]
    assert store.list_trainings("acme", "sea", 1) == []


def test_the_state_of_one_training_changes(store: Store) -> None:
    for training_id in ("t1", "t2"):
        store.add_training(make_training(training_id))
    store.set_training(make_training("t1", state=TrainingState.FAILED, error="the disk is full"))
    first, second = store.list_trainings("acme", "road", 1)
    assert (first.state, first.error) == (TrainingState.FAILED, "the disk is full")
    assert (second.state, second.error) == (TrainingState.RUNNING, None)
    store.set_training(make_training("t1", state=TrainingState.DONE))
    assert store.list_trainings("acme", "road", 1)[0] == make_training("t1", state=TrainingState.DONE)


# Models


def test_a_model_is_found_in_its_workspace_alone(store: Store) -> None:
    store.add_training(make_training())
    store.add_model(make_model())
    assert store.find_model("acme", "road-1-t1") == make_model()
    assert store.find_model("other", "road-1-t1") is None
    assert store.find_model("acme", "road-1-t2") is None


def test_a_slug_stands_for_one_model(store: Store) -> None:
    store.add_training(make_training())
    store.add_model(make_model())
    with pytest.raises(ConflictError, match="road-1-t1"):
        store.add_model(make_model(version=2))
    assert store.find_model("acme", "road-1-t1") == make_model()


def test_models_are_listed_oldest_first(store: Store) -> None:
    store.add_training(make_training())
    store.add_training(make_training("t2", "other"))
    slugs = ["road-1-z", "road-1-a"]
    for slug in slugs:
        store.add_model(make_model(slug))
    store.add_model(make_model(workspace="other", training="t2"))
    assert [model.slug for model in store.list_models("acme")] == slugs
    assert store.list_models("nobody") == []


# Time


def test_every_date_keeps_its_zone_and_its_microseconds(store: Store) -> None:
    store.add_key(make_key(), sha256("secret"))
    store.revoke_key("acme", "k1", later(1))
    store.add_project(make_project())
    store.add_version(version_maker(created=NOON), "acme", "road")
    store.add_training(make_training())
    store.add_model(make_model())
    key = store.list_keys("acme")[0]
    records = (
        key,
        store.list_projects("acme")[0],
        store.list_versions("acme", "road")[0],
        store.list_trainings("acme", "road", 1)[0],
        store.list_models("acme")[0],
    )
    for record in records:
        assert record.created == NOON
        assert record.created.utcoffset() == timedelta(0)
    assert key.revoked is not None
    assert key.revoked.utcoffset() == timedelta(0)


# The real store alone: its file outlives a process and is shared by several


ADD_VERSIONS = """
import sys
from pathlib import Path
from atrous.adapters.sql_store import open_sqlite_store
from atrous.core.errors import ConflictError
from tests.adapters.rows import make_project, version_maker

store = open_sqlite_store(Path(sys.argv[1]))
for keep in (lambda: store.add_workspace("acme"), lambda: store.add_project(make_project())):
    try:
        keep()
    except ConflictError:
        pass
print(*(store.add_version(version_maker(), "acme", "road").number for _ in range(20)))
"""


def test_processes_that_open_a_new_file_at_once_get_no_number_twice(tmp_path: Path) -> None:
    path = tmp_path / "atrous.db"
    command = [sys.executable, "-c", ADD_VERSIONS, str(path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    numbers: list[int] = []
    for process in processes:
        output, problems = process.communicate(timeout=60)
        assert process.returncode == 0, problems
        numbers += map(int, output.split())
    assert sorted(numbers) == list(range(1, 41))


def test_what_was_kept_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "atrous.db"
    before = open_sqlite_store(path)
    before.add_workspace("acme")
    before.add_project(make_project())
    made = before.add_version(version_maker(), "acme", "road")
    after = open_sqlite_store(path)
    assert after.list_workspaces() == ["acme"]
    assert after.list_projects("acme") == [make_project()]
    assert after.list_versions("acme", "road") == [made]


# What imports learn of pictures


def test_facts_of_pictures_come_back(store: Store) -> None:
    store.add_project(make_project())
    picture = make_picture(
        "a.jpg",
        class_pixels={0: 7, 3: 1_000_000_000_000, 255: 1},
        look=bytes(range(32)),
        source_sha256=sha256("source"),
        pending=SplitRule.HOLD_OUT,
    )
    store.add_pictures("acme", "road", [picture])
    assert store.list_pictures("acme", "road") == [picture]


def test_updates_replace_pictures_of_one_project_alone(store: Store) -> None:
    old = make_picture("a.jpg")
    for slug in ("road", "field"):
        store.add_project(make_project(slug))
        store.add_pictures("acme", slug, [old, make_picture("b.jpg")])
    new = replace(old, split=Split.TEST, mask_sha256=sha256("other"), class_pixels={1: 2}, look=b"look")
    store.update_pictures("acme", "road", [new])
    store.update_pictures("acme", "road", [])
    assert store.list_pictures("acme", "road") == [new, make_picture("b.jpg")]
    assert store.list_pictures("acme", "field") == [old, make_picture("b.jpg")]


def test_update_of_an_unknown_picture_adds_nothing(store: Store) -> None:
    store.add_project(make_project())
    store.add_pictures("acme", "road", [make_picture("a.jpg")])
    store.update_pictures("acme", "road", [make_picture("b.jpg")])
    assert store.list_pictures("acme", "road") == [make_picture("a.jpg")]
