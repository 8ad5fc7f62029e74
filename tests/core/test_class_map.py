from __future__ import annotations

import pytest

from atrous.core.class_map import BACKGROUND, BACKGROUND_ID, MAX_CLASSES, VOID_ID, ClassMap
from atrous.core.errors import InvalidInputError


def make_names(count: int) -> tuple[str, ...]:
    return (BACKGROUND, *(f"class {number}" for number in range(1, count)))


def test_ids_follow_the_order_of_the_names() -> None:
    class_map = ClassMap((BACKGROUND, "road", "sign"))
    assert class_map.as_json() == {"0": BACKGROUND, "1": "road", "2": "sign"}
    assert len(class_map) == 3


def test_the_largest_class_map_leaves_the_void_id_free() -> None:
    class_map = ClassMap(make_names(MAX_CLASSES))
    assert max(int(class_id) for class_id in class_map.as_json()) == VOID_ID - 1
    assert BACKGROUND_ID != VOID_ID


def test_background_may_stand_alone() -> None:
    assert ClassMap((BACKGROUND,)).as_json() == {"0": BACKGROUND}


def test_more_than_255_classes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=str(MAX_CLASSES + 1)):
        ClassMap(make_names(MAX_CLASSES + 1))


@pytest.mark.parametrize("names", [(), ("road", "sign"), ("Background", "road"), ("road", BACKGROUND)])
def test_id_0_is_background_by_exactly_this_name(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match=BACKGROUND):
        ClassMap(names)


@pytest.mark.parametrize(
    "name", ["", " ", " road", "road ", "two\nlines", "two\x85lines", "two\u2028lines", "a  b", "tab\tbed"]
)
def test_a_name_is_trimmed_text_on_one_line(name: str) -> None:
    with pytest.raises(InvalidInputError, match="trimmed"):
        ClassMap((BACKGROUND, name))


@pytest.mark.parametrize(("first", "second"), [("road", "road"), ("Road", "road"), ("straße", "STRASSE")])
def test_names_that_differ_only_in_case_are_one_name(first: str, second: str) -> None:
    with pytest.raises(InvalidInputError, match="distinct"):
        ClassMap((BACKGROUND, first, second))


def test_background_may_not_come_a_second_time() -> None:
    with pytest.raises(InvalidInputError, match="BACKGROUND"):
        ClassMap((BACKGROUND, "BACKGROUND"))


def test_names_of_other_scripts_are_names() -> None:
    assert ClassMap((BACKGROUND, "дорога", "道路")).as_json()["2"] == "道路"
