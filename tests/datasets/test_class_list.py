from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import ClassList, find_class_list, open_class_list, read_class_list
from atrous.datasets.files.tree import open_folder

if TYPE_CHECKING:
    from pathlib import Path

ROAD_COLOUR = 0x804080
CAR_COLOUR = 0x00008E
BY_COLOUR = ClassList({}, {ROAD_COLOUR: "road", CAR_COLOUR: "traffic sign"})
BY_VALUE = ClassList({0: "road", 1: "traffic sign"}, {})
BY_BOTH = ClassList(BY_VALUE.values, BY_COLOUR.colours)


def read(folder: Path, name: str, text: str) -> ClassList:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_class_list(open_class_list(path))


@pytest.mark.parametrize(
    "text",
    [
        "Pixel Value, Class\n0, road\n1, traffic sign",
        "1,traffic sign\n0,road\n",
        'Pixel Value, Class\n0, "road"\n1, "traffic sign"\n',
        "\ufeffPixel Value;Class\r\n0;road\r\n\r\n1;traffic sign\r\n",
        'id,name,note\n0,"road",\n1,traffic sign,\n',
        "class,name\n0,road\n1,traffic sign\n",
        "label,value\nroad,0\ntraffic sign,1\n",
        "Wert,Klasse\n0,road\n1,traffic sign\n",
        "road,0\ntraffic sign,1\n",
        "name\nroad\ntraffic sign\n",
        "road\ntraffic sign\n",
    ],
)
def test_csv_is_read_in_order_of_value(text: str, tmp_path: Path) -> None:
    found = read(tmp_path, "classes.csv", text)
    assert found == BY_VALUE
    assert list(found.values) == [0, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,r,g,b\nroad,128,64,128\ntraffic sign,0,0,142\n", BY_COLOUR),
        ("r,g,b,name\n128,64,128,road\n0,0,142,traffic sign\n", BY_COLOUR),
        ("Red;Green;Blue;Class\n128;64;128;road\n0;0;142;traffic sign\n", BY_COLOUR),
        ("road,128,64,128\ntraffic sign,0,0,142\n", BY_COLOUR),
        ("128,64,128,road\n0,0,142,traffic sign\n", BY_COLOUR),
        ("name,color\nroad,#804080\ntraffic sign,00008E\n", BY_COLOUR),
        ("road,#804080\ntraffic sign,#00008e\n", BY_COLOUR),
        ('name,rgb\nroad,"128, 64, 128"\ntraffic sign,0 0 142\n', BY_COLOUR),
        ("value,name,r,g,b\n0,road,128,64,128\n1,traffic sign,0,0,142\n", BY_BOTH),
        ("0,road,128,64,128\n1,traffic sign,0,0,142\n", BY_BOTH),
        ("0,road,#804080\n1,traffic sign,#00008e\n", BY_BOTH),
    ],
)
def test_csv_may_give_colours(text: str, expected: ClassList, tmp_path: Path) -> None:
    assert read(tmp_path, "class_dict.csv", text) == expected


def test_word_of_six_hexadecimal_letters_is_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, "classes.csv", "0,facade\n1,road\n").values == {0: "facade", 1: "road"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"road": [128, 64, 128], "traffic sign": [0, 0, 142]}, BY_COLOUR),
        ({"road": "#804080", "traffic sign": "#00008e"}, BY_COLOUR),
        ({"#804080": "road", "0,0,142": "traffic sign"}, BY_COLOUR),
        ({"road": 0, "traffic sign": 1}, BY_VALUE),
        ({"0": "road", "1": "traffic sign"}, BY_VALUE),
        (["road", "traffic sign"], BY_VALUE),
        ({"names": ["road", "traffic sign"]}, BY_VALUE),
        ({"names": {"0": "road", "1": "traffic sign"}}, BY_VALUE),
        ([{"name": "road"}, {"name": "traffic sign"}], BY_VALUE),
        ([{"label": "road", "value": 0}, {"label": "traffic sign", "value": 1}], BY_VALUE),
        (
            {"classes": [{"title": "road", "color": "#804080"}, {"title": "traffic sign", "color": "#00008E"}]},
            BY_COLOUR,
        ),
        ([{"name": "road", "rgb": [128, 64, 128]}, {"name": "traffic sign", "colour": [0, 0, 142, 255]}], BY_COLOUR),
        (
            [{"name": "road", "color": "#804080", "id": 0}, {"name": "traffic sign", "color": "#00008e", "id": 1}],
            BY_BOTH,
        ),
        ({"road": {"color": [128, 64, 128], "id": 0}, "traffic sign": {"color": [0, 0, 142], "id": 1}}, BY_BOTH),
    ],
)
def test_json_is_read_in_the_shapes_people_use(content: Any, expected: ClassList, tmp_path: Path) -> None:
    assert read(tmp_path, "classes.json", json.dumps(content)) == expected


def test_row_numbers_of_a_database_are_no_values(tmp_path: Path) -> None:
    content = [{"title": "road", "color": "#804080", "id": 8745321}]
    assert read(tmp_path, "classes.json", json.dumps(content)) == ClassList({}, {ROAD_COLOUR: "road"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# label:color_rgb:parts:actions\nroad:128,64,128::\ntraffic sign:0,0,142:left,right:\n", BY_COLOUR),
        ("road:128,64,128::\ntraffic sign:0,0,142::\n", BY_COLOUR),
        ("128 64 128\troad\n0 0 142\t\ttraffic sign\n", BY_COLOUR),
        ("road\ntraffic sign\n", BY_VALUE),
        ("0 road\n1: traffic sign\n", BY_VALUE),
        ("0,road\n1,traffic sign\n", BY_VALUE),
        ("__ignore__\n_background_\nroad\n", ClassList({0: "_background_", 1: "road", 255: "__ignore__"}, {})),
    ],
)
def test_text_is_read(text: str, expected: ClassList, tmp_path: Path) -> None:
    assert read(tmp_path, "labels.txt", text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0,road\n-1,void\n", "line 2: '-1' is not a pixel value"),
        ("0,road\n256,car\n", "line 2: '256' is not a pixel value of 0 to 255"),
        ("0,road\n0,car\n", "line 2 names value 0 a second time"),
        ("0,road\n1,\n", "line 2: value 1 has no class name"),
        ("0,road\n1,tree, dead\n", "line 2: has more than a value and a name"),
        ("Pixel Value,Class\n", "names no class"),
        ("", "names no class"),
        ("filename, cat, dog\na.jpg, 0, 1\n", "line 2: 'a.jpg' is not a pixel value"),
        ("name,r,g,b\nroad,128,64,256\n", r"line 2: \[128, 64, 256\] is not a colour"),
        ("name,r,g,b\nroad,128,64\n", r"line 2: .* is not a colour"),
        ("name,color\nroad,red\n", "line 2: 'red' is not a colour"),
        ("road,#804080\ncar,#804080\n", "line 2 names colour #804080 a second time"),
    ],
)
def test_csv_that_is_no_list_is_refused_with_its_line(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=reason):
        read(tmp_path, "classes.csv", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"road": 1,\n', "line 2: is no JSON"),
        ("3", "is no list of classes"),
        ("{}", "names no class"),
        ('{"road": 300}', "entry 'road': '300' is not a pixel value"),
        ('{"road": [1, 2]}', r"entry 'road': \[1, 2\] is not a colour"),
        ('{"road": null}', "entry 'road': is no class"),
        ('{"3": 4}', "entry '3': is no class"),
        ('[{"color": "#804080"}]', "entry 0: has no name"),
        ('{"road": {}}', "entry 'road': has neither a value nor a colour"),
    ],
)
def test_json_that_is_no_list_is_refused_with_its_entry(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=reason):
        read(tmp_path, "classes.json", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("road\n\ncar\n", "line 2: is empty"),
        ("# label:color_rgb:parts:actions\nroad:128,64,128::\ncar:::\n", "line 3: has no colour"),
    ],
)
def test_text_that_is_no_list_is_refused_with_its_line(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=reason):
        read(tmp_path, "labels.txt", text)


def test_list_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes("0,Straße\n".encode("latin-1"))
    with pytest.raises(InvalidDatasetError, match="is not UTF-8"):
        read_class_list(open_class_list(path))


def test_list_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match="cannot be read"):
        read_class_list(open_class_list(tmp_path / "classes.csv"))


def test_list_is_found_by_its_name_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "Classes.TXT").write_text("road\n")
    assert find_class_list(open_folder(tmp_path)) is None
    found = find_class_list(open_folder(tmp_path), "masks")
    assert found
    assert found.name == "masks/Classes.TXT"
