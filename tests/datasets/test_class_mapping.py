from __future__ import annotations

import pytest

from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_mapping import map_classes


def ids(classes: dict[int, str], existing: ClassMap | None = None) -> dict[int, int]:
    return {row.source_value: row.id for row in map_classes(classes, existing).rows}


def test_values_without_background_are_shifted_by_one() -> None:
    mapping = map_classes({0: "sky", 1: "road", 2: "void"}, None)
    assert [(row.source_value, row.source_name, row.id, row.name) for row in mapping.rows] == [
        (0, "sky", 1, "sky"),
        (1, "road", 2, "road"),
        (2, "void", 255, "void"),
    ]
    assert mapping.class_map.names == ("background", "sky", "road")


@pytest.mark.parametrize("name", ["background", "Background", " _background_ ", "__background__"])
def test_background_is_0_by_any_of_its_names(name: str) -> None:
    assert ids({7: name, 1: "road"}) == {1: 1, 7: 0}


@pytest.mark.parametrize(
    "name", ["void", "Ignore", "__ignore__", "Unlabelled", "unlabeled", "don't care", "don\u2019t care"]
)
def test_void_is_255_by_any_of_its_names(name: str) -> None:
    assert ids({0: name, 1: "road"}) == {0: 255, 1: 1}


def test_several_values_may_be_void_or_background() -> None:
    assert ids({0: "background", 1: "_background_", 2: "road", 3: "void", 255: "ignore"})[255] == 255


def test_new_names_come_after_the_projects_classes_in_order_of_value() -> None:
    existing = ClassMap(("background", "car", "road"))
    mapping = map_classes({9: "tree", 3: " ROAD ", 5: "sign"}, existing)
    assert mapping.class_map.names == ("background", "car", "road", "sign", "tree")
    assert {row.source_value: (row.id, row.name) for row in mapping.rows} == {
        3: (2, "road"),
        5: (3, "sign"),
        9: (4, "tree"),
    }


def test_declared_255_may_be_a_class() -> None:
    assert ids({0: "background", 255: "cell"}) == {0: 0, 255: 1}


def test_same_name_twice_is_refused_with_both_values() -> None:
    with pytest.raises(InvalidDatasetError, match=r"'Car' \(value 1\) and 'car ' \(value 4\) have the same name"):
        map_classes({1: "Car", 4: "car "}, None)


def test_source_without_a_class_is_refused() -> None:
    with pytest.raises(InvalidDatasetError, match="no class besides background and void"):
        map_classes({0: "background", 1: "void"}, ClassMap(("background", "car")))


def test_more_classes_than_ids_are_refused() -> None:
    assert len(map_classes({value: f"class {value}" for value in range(254)}, None).class_map) == 255
    with pytest.raises(InvalidDatasetError, match="255 is the most"):
        map_classes({value: f"class {value}" for value in range(255)}, None)
