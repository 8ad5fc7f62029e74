from __future__ import annotations

import base64
import random
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES
from atrous.datasets.formats import read_source
from atrous.datasets.outlines.supervisely_file import ObjectClass, SuperviselyFile
from atrous.datasets.source import LabelValues, PictureShape, Source
from atrous.datasets.splits import Split
from tests.datasets.generated import HEIGHT, WIDTH, draw_scenes, write_jpeg, write_json
from tests.datasets.generated_voc import box_corners, encode_bitmap, supervisely_annotation, supervisely_shapes

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (ObjectClass("road", 1, "polygon"), ObjectClass("sign", 2, "bitmap"), ObjectClass("void", 3))
RING_HW = np.ones((3, 3), np.bool_)
RING_HW[1, 1] = False


def load(folder: Path, *objects: dict[str, Any]) -> LabelValues | Finding:
    write_json(folder / "a.jpg.json", supervisely_annotation(list(objects)))
    label = SuperviselyFile(open_folder(folder).file("a.jpg.json"), CLASSES)
    return label.load(PictureShape(Size(HEIGHT, WIDTH)), NO_FIXES)


def paint(folder: Path, *objects: dict[str, Any]) -> np.ndarray:
    label = load(folder, *objects)
    assert isinstance(label, LabelValues), label
    return label.values_HW


def polygon(title: str, exterior: list[Any], *interior: list[Any]) -> dict[str, Any]:
    points = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": title, "geometryType": "polygon", "points": points}


def bitmap(title: str, is_inside_HW: np.ndarray, origin: list[int]) -> dict[str, Any]:
    return {"classTitle": title, "geometryType": "bitmap", "bitmap": encode_bitmap(is_inside_HW, origin)}


def boxes(*values_and_boxes: tuple[int, tuple[int, int, int, int]]) -> np.ndarray:
    drawn_HW = np.zeros((HEIGHT, WIDTH), np.uint16)
    for value, (left, top, right, bottom) in values_and_boxes:
        drawn_HW[top:bottom, left:right] = value
    return drawn_HW


def test_what_lies_below_shows_through_a_hole(tmp_path: Path) -> None:
    below = polygon("sign", box_corners(0, 0, 20, 20))
    above = polygon("road", box_corners(2, 2, 12, 12), box_corners(4, 4, 6, 6), box_corners(8, 8, 9, 9))
    expected = boxes((2, (0, 0, 20, 20)), (1, (2, 2, 12, 12)), (2, (4, 4, 6, 6)), (2, (8, 8, 9, 9)))
    np.testing.assert_array_equal(paint(tmp_path, below, above), expected)


def test_hole_that_leaves_its_outline_takes_nothing_else_away(tmp_path: Path) -> None:
    above = polygon("road", box_corners(2, 2, 12, 12), box_corners(-5, 10, 40, 40))
    np.testing.assert_array_equal(paint(tmp_path, above), boxes((1, (2, 2, 12, 10))))


def test_later_objects_cover_earlier_ones_and_that_is_counted(tmp_path: Path) -> None:
    label = load(tmp_path, polygon("road", box_corners(0, 0, 9, 9)), bitmap("sign", RING_HW, [4, 5]))
    assert isinstance(label, LabelValues)
    assert list(label.remarks.values()) == [8]
    assert label.values_HW[6, 5] == 1
    assert np.count_nonzero(label.values_HW == 2) == 8


@pytest.mark.parametrize("origin", [[-1, -2], [WIDTH - 2, HEIGHT - 1], [4, 5]])
def test_bitmaps_are_clipped_to_the_picture(origin: list[int], tmp_path: Path) -> None:
    canvas_HW = np.zeros((HEIGHT + 6, WIDTH + 6), np.uint16)
    canvas_HW[origin[1] + 3 : origin[1] + 6, origin[0] + 3 : origin[0] + 6][RING_HW] = 2
    np.testing.assert_array_equal(paint(tmp_path, bitmap("sign", RING_HW, origin)), canvas_HW[3:-3, 3:-3])


def test_bitmap_outside_the_picture_has_no_area(tmp_path: Path) -> None:
    label = load(tmp_path, bitmap("sign", RING_HW, [WIDTH, 0]))
    assert isinstance(label, LabelValues)
    assert not label.values_HW.any()
    assert list(label.remarks) == ["outlines without area, which were ignored"]


def test_bitmap_without_compression_is_read(tmp_path: Path) -> None:
    encoded = bitmap("sign", RING_HW, [4, 5])
    png = zlib.decompress(base64.b64decode(encoded["bitmap"]["data"]))
    encoded["bitmap"]["data"] = base64.b64encode(png).decode()
    assert np.count_nonzero(paint(tmp_path, encoded)) == 8


def test_old_exports_leave_the_shape_to_the_class(tmp_path: Path) -> None:
    objects = [polygon("road", box_corners(0, 0, 2, 2)), bitmap("sign", RING_HW, [4, 5])]
    for entry in objects:
        del entry["geometryType"]
    assert np.count_nonzero(paint(tmp_path, *objects)) == 4 + 8


def test_rectangle_may_name_any_two_corners(tmp_path: Path) -> None:
    points = {"exterior": [[9, 2], [3, 6]], "interior": []}
    entry = {"classTitle": "road", "geometryType": "rectangle", "points": points}
    np.testing.assert_array_equal(paint(tmp_path, entry), boxes((1, (3, 2, 9, 6))))


def test_shapes_without_area_are_counted(tmp_path: Path) -> None:
    shapes = ("point", "line", "graph")
    objects = [{"classTitle": "road", "geometryType": shape, "points": {"exterior": [[1, 1]]}} for shape in shapes]
    label = load(tmp_path, *objects)
    assert isinstance(label, LabelValues)
    assert label.remarks == {"points, lines, skeletons and turned boxes, which were ignored": 3}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (polygon("car", []), "object 1 is of class 'car', which meta.json does not name"),
        (
            {"classTitle": "road", "geometryType": "blob"},
            "object 1 (road) is 'blob', which is no shape of Supervisely's",
        ),
        (polygon("road", [[1, 2], [3]]), "object 1 (road) has an outline that is no list of x and y"),
        (polygon("road", [[0, 0], [9, 0], [9, "9"]]), "object 1 (road) has an outline that is no list of x and y"),
        (
            {"classTitle": "sign", "geometryType": "bitmap", "bitmap": {"data": "AAAA", "origin": [0, 0]}},
            "object 1 (sign) has a damaged bitmap",
        ),
        (
            {"classTitle": "sign", "geometryType": "bitmap", "bitmap": {"data": "AAAA"}},
            "object 1 (sign) is a bitmap without data and origin",
        ),
        (
            bitmap("sign", np.ones((HEIGHT + 1, 2), np.bool_), [0, 0]),
            "object 1 (sign) has a bitmap larger than its picture",
        ),
    ],
)
def test_unusable_object_is_named(entry: dict[str, Any], reason: str, tmp_path: Path) -> None:
    finding = load(tmp_path, entry)
    assert isinstance(finding, Finding)
    assert finding.reason == reason


def test_bitmap_that_inflates_without_end_is_refused(tmp_path: Path) -> None:
    data = base64.b64encode(zlib.compress(bytes(64 << 20), 9)).decode()
    entry = {"classTitle": "sign", "geometryType": "bitmap", "bitmap": {"data": data, "origin": [0, 0]}}
    finding = load(tmp_path, entry)
    assert isinstance(finding, Finding)
    assert "inflates to more than its picture can need" in finding.reason


def test_damaged_annotations_are_findings(tmp_path: Path) -> None:
    scene = draw_scenes()[0]
    path = tmp_path / "a.jpg.json"
    write_json(path, supervisely_annotation(supervisely_shapes(scene)))
    data = path.read_bytes()
    rng = random.Random(0)
    label = SuperviselyFile(open_folder(tmp_path).file(path.name), CLASSES)
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(data))] = rng.randrange(32, 127)
        path.write_bytes(damaged[: rng.randrange(len(data))] if rng.random() < 0.2 else damaged)
        assert isinstance(label.load(PictureShape(Size(HEIGHT, WIDTH)), NO_FIXES), LabelValues | Finding)


@pytest.mark.parametrize(
    "content", [[], {"objects": []}, {"size": {"height": 0, "width": 4}, "objects": []}, {"size": 3}]
)
def test_annotation_of_another_tool_is_a_finding(content: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "a.jpg.json", content)
    finding = SuperviselyFile(open_folder(tmp_path).file("a.jpg.json"), CLASSES).load(
        PictureShape(Size(4, 4)), NO_FIXES
    )
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.DAMAGED_LABEL


# Projects


def write_picture(folder: Path, annotation: str = "a.jpg.json") -> None:
    write_jpeg(folder / "img" / "a.jpg", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write_json(folder / "ann" / annotation, supervisely_annotation([]))


def read_project(folder: Path, classes: Any) -> Source:
    write_json(folder / "meta.json", {"classes": classes})
    name, source = read_source(open_folder(folder))
    assert name == "supervisely"
    return source


def test_datasets_in_datasets_have_the_split_of_the_innermost_name(tmp_path: Path) -> None:
    for folder in ("berlin", "train/datasets/day", "train/datasets/val"):
        write_picture(tmp_path / folder)
    source = read_project(tmp_path, [{"title": "road"}])
    assert {item.image.name: item.split for item in source.items} == {
        "berlin/img/a.jpg": None,
        "train/datasets/day/img/a.jpg": Split.TRAIN,
        "train/datasets/val/img/a.jpg": Split.VALID,
    }


def test_annotations_may_leave_out_the_pictures_suffix(tmp_path: Path) -> None:
    write_picture(tmp_path / "ds0", "a.json")
    source = read_project(tmp_path, [{"title": "road"}, {"title": "sign"}])
    assert source.findings == ()
    assert source.classes == {0: "background", 1: "road", 2: "sign"}


@pytest.mark.parametrize("classes", [None, [], [{"shape": "polygon"}], [{"title": "a"}, {"title": "a"}], ["road"]])
def test_meta_without_classes_says_so(classes: Any, tmp_path: Path) -> None:
    write_picture(tmp_path / "ds0")
    with pytest.raises(InvalidDatasetError, match=r"meta\.json: .*export the project again"):
        read_project(tmp_path, classes)
