"""What is found in SQL is what the conditions say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters.rows import later, make_picture, make_project
from tests.fakes.ports import open_new_store

from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.search import (
    EVERYTHING,
    NOTHING,
    And,
    Condition,
    Expression,
    Field,
    Mark,
    Not,
    Or,
    Order,
    Search,
    as_text,
    mark_picture,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.adapters.sql_store import SqlStore
    from atrous.workspace.ports import Store
    from atrous.workspace.records import Picture, Project

ROAD, LAKE = ClassMap(("background", "road", "car")), ClassMap(("background", "water", "Road"))
PICTURES = {
    "road": [
        make_picture("a_1.jpg", tags=("night", "50%"), class_pixels={0: 5, 1: 5}, created=later(3), batch="first"),
        make_picture("a-1.jpg", tags=("night",), class_pixels={0: 5, 2: 5}, split=Split.VALID, created=later(3)),
        make_picture("B.png", mask_sha256=None, size=Size(height=10, width=999), created=later(1), annotation_job="j1"),
        make_picture("50% of it.jpg", metadata={"camera": 3, "wet": True}, class_pixels={0: 10}, created=None),
        make_picture("back\\slash.jpg", metadata={"camera": 3.5, "who": "me"}, created=None, batch="first"),
    ],
    "lake": [
        make_picture("a_1.jpg", "another", tags=("day",), class_pixels={1: 4, 2: 6}, created=later(2)),
        make_picture("x.jpg", "x", tags=("night",), class_pixels={0: 1}, split=Split.TEST, created=later(9)),
    ],
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that the test may change."""
    opened = fill(open_new_store(tmp_path))
    yield opened
    opened._engine.dispose()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that no test changes."""
    opened = fill(open_new_store(tmp_path_factory.mktemp("store")))
    yield opened
    opened._engine.dispose()


def fill(store: SqlStore) -> SqlStore:
    """The pictures in two projects of `acme`, and the same in two of `other`."""
    for workspace in ("acme", "other"):
        store.add_workspace(workspace)
        for slug, class_map in (("road", ROAD), ("lake", LAKE)):
            store.add_project(make_project(slug, workspace, class_map=class_map))
            store.add_pictures(workspace, slug, PICTURES[slug])
    return store


def find(store: Store, where: Expression = EVERYTHING, **options: object) -> list[str]:
    """Project and name of each picture that is found, all of them on one page unless the options say otherwise."""
    found, _ = store.search_pictures("acme", Search(where, **options))  # type: ignore[arg-type]
    return [f"{project.slug}/{picture.name}" for project, picture in found]


def holds(part: Expression, project: Project, picture: Picture) -> bool:
    """What an expression says, picture by picture."""
    match part:
        case And(parts):
            return all(holds(one, project, picture) for one in parts)
        case Or(parts):
            return any(holds(one, project, picture) for one in parts)
        case Not(inner):
            return not holds(inner, project, picture)
        case Condition(field, value):
            return fulfils(field, value, project, picture)


def fulfils(field: Field, value: str, project: Project, picture: Picture) -> bool:
    names = [name.casefold() for name in project.class_map.names]
    pattern = value.replace("[", "[[]").replace("?", "[?]").lower()
    shown = {names[class_id] for class_id in picture.class_pixels}
    entries = {f"{name}={as_text(one)}" for name, one in picture.metadata.items()} | set(picture.metadata)
    answers = {
        Field.TAG: value in picture.tags,
        Field.CLASS: value.casefold() in shown,
        Field.SPLIT: value == picture.split.value,
        Field.JOB: value == picture.annotation_job,
        Field.BATCH: value == picture.batch,
        Field.FILENAME: fnmatchcase(picture.name.lower(), pattern),
        Field.METADATA: value in entries,
        Field.PROJECT: value == project.slug,
        Field.ID: value == picture.id,
        Field.LABELLED: (value == "true") == (picture.mask_sha256 is not None),
    }
    if field in answers:
        return answers[field]
    side = picture.size.width if "width" in field.value else picture.size.height
    return side >= int(value) if field.value.startswith("min") else side <= int(value)


VALUES = {
    Field.TAG: ["night", "day", "50%", "none", "", "ni*"],
    Field.CLASS: ["road", "ROAD", "car", "water", "background", "boat"],
    Field.SPLIT: ["train", "valid", "test"],
    Field.JOB: ["j1", "", "j2"],
    Field.BATCH: ["first", "", "%"],
    Field.FILENAME: ["*", "a*", "*_*", "*-*", "*%*", "A_1.JPG", "*\\*", "*.jpg", "", "_*"],
    Field.METADATA: ["camera", "camera=3", "camera=3.5", "wet=true", "who=me", "%"],
    Field.PROJECT: ["road", "lake", "sea"],
    Field.ID: ["none", ""],
    Field.LABELLED: ["true", "false"],
    **{Field(f"{end}-{side}"): ["0", "30", "500", "9" * 18] for end in ("min", "max") for side in ("width", "height")},
}
CONDITIONS = [Condition(field, value) for field, values in VALUES.items() for value in values]


def expressions() -> st.SearchStrategy[Expression]:
    def join(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(parts, max_size=3).map(tuple)
        return st.builds(Not, parts) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(st.sampled_from(CONDITIONS), join, max_leaves=6)


def check_same(store: Store, part: Expression) -> None:
    everything, _ = store.search_pictures("acme", Search())
    expected = [picture.id for project, picture in everything if holds(part, project, picture)]
    found, total = store.search_pictures("acme", Search(part))
    assert [picture.id for _, picture in found] == expected
    assert total == len(expected)


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_each_condition_is_found_as_it_says(kept: Store, condition: Condition) -> None:
    check_same(kept, condition)


@given(part=expressions())
@settings(max_examples=60, deadline=None)
def test_expressions_are_found_as_they_say(kept: Store, part: Expression) -> None:
    check_same(kept, part)


def test_a_class_is_meant_by_name_as_ids_differ_between_projects(kept: Store) -> None:
    assert sorted(find(kept, Condition(Field.CLASS, "road"))) == ["lake/a_1.jpg", "road/a_1.jpg"]


def test_nothing_of_another_workspace_or_of_the_trash_is_found(store: Store) -> None:
    found, total = store.search_pictures("acme", Search())
    assert (len(found), total) == (7, 7)
    assert {project.workspace for project, _ in found} == {"acme"}
    lake = store.find_project("acme", "lake")
    assert lake is not None
    store.set_project(make_trashed(lake))
    assert store.search_pictures("acme", Search())[1] == 5
    assert store.search_pictures("nobody", Search()) == ([], 0)


def make_trashed(project: Project) -> Project:
    return replace(project, deleted=later(0))


def test_only_the_named_project_is_searched(kept: Store) -> None:
    assert len(find(kept, project="lake")) == 2
    assert find(kept, project="sea") == []
    assert find(kept, NOTHING) == []


@pytest.mark.parametrize("order", Order)
def test_pages_after_marks_give_each_picture_once_in_order(kept: Store, order: Order) -> None:
    whole, total = kept.search_pictures("acme", Search(order=order))
    names = [(picture.created, picture.name) for _, picture in whole]
    by_name = order in {Order.NAME, Order.NAME_DOWN}
    keys = [name if by_name else created.timestamp() if created else 0 for created, name in names]
    assert keys == sorted(keys, reverse=order in {Order.NEWEST, Order.NAME_DOWN})
    paged: list[Picture] = []
    while len(paged) < total:
        after = mark_picture(paged[-1], order) if paged else None
        page, counted = kept.search_pictures("acme", Search(order=order, limit=2, after=after))
        assert (1 <= len(page) <= 2, counted) == (True, total)
        paged += [picture for _, picture in page]
    assert [picture.id for picture in paged] == [picture.id for _, picture in whole]
    last = mark_picture(paged[-1], order)
    assert find(kept, order=order, after=last) == []


def test_pictures_that_come_and_go_do_not_shift_the_next_page(store: Store) -> None:
    first, _ = store.search_pictures("acme", Search(limit=3))
    rest = find(store, after=mark_picture(first[-1][1], Order.NEWEST))
    store.add_pictures("acme", "road", [make_picture("newest.jpg", "newest", created=later(100))])
    for project, picture in first:
        store.remove_pictures("acme", project.slug, [picture.id])
    assert find(store, after=mark_picture(first[-1][1], Order.NEWEST)) == rest


def test_offsets_go_through_the_same_pictures(kept: Store) -> None:
    whole = find(kept)
    assert [name for offset in range(0, 9, 2) for name in find(kept, offset=offset, limit=2)] == whole
    assert find(kept, limit=0) == []


@pytest.mark.parametrize("value", ["", "%", "'", '"', "\\", "*" * 50, "x" * 5000, "\N{SNOWMAN}", "a;--"])
@pytest.mark.parametrize("field", [field for field in Field if field not in {Field.LABELLED} and "-" not in field])
def test_any_value_may_be_asked_for(kept: Store, field: Field, value: str) -> None:
    kept.search_pictures("acme", Search(Condition(field, value)))
    kept.search_pictures("acme", Search(after=Mark(later(0), value)))


def test_a_changed_picture_is_found_by_what_it_says_now(store: Store) -> None:
    ((_, picture),) = store.search_pictures("acme", Search(Condition(Field.BATCH, "first"), limit=1))[0]
    changed = store.change_picture("acme", picture.id, lambda now: replace(now, tags=("new",), metadata={}))
    assert changed is not None
    assert len(find(store, Condition(Field.TAG, "new"))) == 1
    kept = store.find_picture("acme", picture.id)
    assert kept is not None
    assert (kept[1].tags, kept[1].id, kept[1].batch) == (("new",), picture.id, "first")
    assert store.change_picture("other", picture.id, lambda now: now) is None
    assert store.change_picture("acme", "nothing", lambda now: now) is None


def test_what_ten_threads_say_about_a_picture_is_all_kept(store: Store) -> None:
    ((_, picture),) = store.search_pictures("acme", Search(limit=1))[0]

    def add(tag: str) -> None:
        store.change_picture("acme", picture.id, lambda now: replace(now, tags=(*now.tags, tag)))

    tags = [f"t{i}" for i in range(30)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(add, tags))
    kept = store.find_picture("acme", picture.id)
    assert kept is not None
    assert set(tags) <= set(kept[1].tags)
    assert all(len(find(store, Condition(Field.TAG, tag))) == 1 for tag in tags)


def test_batches_and_counts_tell_of_pictures_without_a_time(kept: Store) -> None:
    (first,) = kept.list_batches("acme", "road")
    assert (first.name, first.pictures, first.created) == ("first", 2, None)
    assert kept.count_pictures("acme", "road").unlabelled == 1
