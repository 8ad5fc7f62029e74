"""What uploads ask of a store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.adapters.rows import NOON, later, make_picture, make_project, sha256
from tests.fakes.ports import open_new_sqlite
from tests.fakes.postgres import open_postgres_for_test

from atrous.core.errors import NotFoundError
from atrous.workspace.records import HeldMask, Picture
from atrous.workspace.search import Condition, Field, Search

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.workspace.ports import Store


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with the projects `road` and `sea` of `acme`."""
    opened = open_new_sqlite(tmp_path) if request.param == "sqlite" else open_postgres_for_test()
    opened.add_workspace("acme")
    for slug in ("road", "sea"):
        opened.add_project(make_project(slug))
    yield opened
    opened._engine.dispose()


def test_pictures_are_found_by_any_of_several_names(store: Store) -> None:
    store.add_pictures("acme", "road", [make_picture("a.jpg"), make_picture("a.png"), make_picture("a.jpg", "twin")])
    store.add_pictures("acme", "sea", [make_picture("a.bmp")])
    found = store.list_named("acme", "road", ["a.png", "a.jpg", "a.bmp"])
    assert [picture.name for picture in found] == ["a.jpg", "a.png", "a.jpg"]
    assert store.list_named("acme", "road", ["A.JPG"]) == []
    with pytest.raises(NotFoundError):
        store.list_named("acme", "sky", ["a.jpg"])


def test_a_waiting_mask_is_looked_at_without_being_taken(store: Store) -> None:
    mask = HeldMask("june", "a", sha256("mask"), NOON)
    store.hold_mask("acme", "road", mask)
    assert store.find_held_mask("acme", "road", "june", "a") == mask
    assert store.find_held_mask("acme", "road", "may", "a") is None
    assert store.find_held_mask("acme", "sea", "june", "a") is None
    newer = replace(mask, sha256=sha256("newer"), created=later(1))
    store.hold_mask("acme", "road", newer)
    assert store.take_mask("acme", "road", "june", "a") == newer
    assert store.find_held_mask("acme", "road", "june", "a") is None


def test_a_change_of_a_project_is_noted_and_nothing_else_is(store: Store) -> None:
    before = store.find_project("acme", "road")
    assert before is not None
    store.touch_project("acme", "road", later(7))
    assert store.find_project("acme", "road") == replace(before, updated=later(7))
    sea = store.find_project("acme", "sea")
    assert sea is not None
    assert sea.updated is None


def test_a_project_in_the_trash_stays_there_when_it_is_touched(store: Store) -> None:
    project = store.find_project("acme", "road")
    assert project is not None
    store.set_project(replace(project, deleted=later(1)))
    store.touch_project("acme", "road", later(7))
    assert store.find_project("acme", "road") is None


def test_many_pictures_change_at_once_and_are_searched_by_what_they_are_then(store: Store) -> None:
    pictures = [make_picture(f"{n}.jpg", tags=("old",)) for n in range(4)]
    store.add_pictures("acme", "road", pictures)
    images = [picture.image_sha256 for picture in pictures[:3]] + [sha256("gone")]
    store.change_pictures("acme", "road", images, lambda now: replace(now, tags=(*now.tags, now.name)))
    assert [picture.tags for picture in store.list_pictures("acme", "road")] == [
        ("old", "0.jpg"),
        ("old", "1.jpg"),
        ("old", "2.jpg"),
        ("old",),
    ]
    assert store.search_pictures("acme", Search(Condition(Field.TAG, "1.jpg")))[1] == 1
    assert store.search_pictures("acme", Search(Condition(Field.TAG, "old")))[1] == 4
    store.change_pictures("acme", "road", [], lambda _: pictures[0])


def test_a_change_that_fails_changes_none(store: Store) -> None:
    pictures = [make_picture(f"{n}.jpg") for n in range(3)]
    store.add_pictures("acme", "road", pictures)

    def fail_at_last(now: Picture) -> Picture:
        if now.name == "2.jpg":
            raise NotFoundError("no")
        return replace(now, tags=("new",))

    with pytest.raises(NotFoundError):
        store.change_pictures("acme", "road", [picture.image_sha256 for picture in pictures], fail_at_last)
    assert [picture.tags for picture in store.list_pictures("acme", "road")] == [(), (), ()]


def test_changes_of_several_callers_are_all_kept(store: Store) -> None:
    picture = make_picture("a.jpg")
    store.add_pictures("acme", "road", [picture])

    def add(n: int) -> None:
        store.change_pictures(
            "acme", "road", [picture.image_sha256], lambda now: replace(now, tags=(*now.tags, str(n)))
        )

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(add, range(10)))
    (kept,) = store.list_pictures("acme", "road")
    assert sorted(kept.tags) == [str(n) for n in range(10)]
