from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from atrous.core.sizes import Size
from atrous.datasets.findings import Finding
from atrous.datasets.outlines import Outline, OutlineLabel
from atrous.datasets.source import LabelValues
from tests.datasets.generated import run_lengths

SIZE = Size(20, 30)


def paint(*shapes: tuple[int, Any], size: Size = SIZE) -> LabelValues:
    outlines = tuple(Outline(f"annotation {n}", value, shape) for n, (value, shape) in enumerate(shapes))
    label = OutlineLabel(Path("a.jpg"), size, outlines).load(size)
    assert isinstance(label, LabelValues), label
    return label


def reason_of(shape: Any) -> str:
    finding = OutlineLabel(Path("a.jpg"), SIZE, (Outline("annotation 17", 1, shape),)).load(SIZE)
    assert isinstance(finding, Finding)
    return finding.reason


def box(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    return [[left, top, right, top, right, bottom, left, bottom]]


def compress(is_inside_HW: np.ndarray) -> dict[str, Any]:
    runs = coco_mask.encode(np.asfortranarray(is_inside_HW.astype(np.uint8)))
    return {"size": runs["size"], "counts": runs["counts"].decode()}


def test_polygon_covers_the_pixels_between_its_corners() -> None:
    expected_HW = np.zeros((20, 30), np.uint16)
    expected_HW[3:8, 4:10] = 900
    np.testing.assert_array_equal(paint((900, box(4, 3, 10, 8))).values_HW, expected_HW)


def test_polygons_of_one_object_are_united() -> None:
    values_HW = paint((1, box(0, 0, 3, 3) + box(2, 2, 5, 5))).values_HW
    assert (values_HW == 1).sum() == 9 + 9 - 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_polygons_are_rasterised_as_by_pycocotools_on_the_whole_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        # Eighths of a pixel are exact in floats; a third of the points lies outside the picture.
        polygons = [
            (np.round(rng.uniform(-0.5, 1.5, (rng.integers(3, 9), 2)) * (30, 20) * 8) / 8).ravel().tolist()
            for _ in range(2)
        ]
        expected_HW = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, 20, 30)))
        np.testing.assert_array_equal(paint((1, polygons)).values_HW, expected_HW)


@pytest.mark.parametrize("encode", [run_lengths, compress])
def test_run_lengths_keep_a_hole(encode: Any) -> None:
    ring_HW = np.zeros((20, 30), np.bool_)
    ring_HW[2:12, 5:25] = True
    ring_HW[5:8, 9:14] = False
    np.testing.assert_array_equal(paint((1, encode(ring_HW))).values_HW, ring_HW)


def test_compressed_run_lengths_are_read_as_pycocotools_writes_them() -> None:
    rng = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.5, 0.99, 1.0):
        noise_HW = rng.random((200, 300)) < share
        label = paint((1, compress(noise_HW)), size=Size(200, 300))
        np.testing.assert_array_equal(label.values_HW, noise_HW)


def test_later_outlines_cover_earlier_ones_and_are_counted() -> None:
    label = paint((1, box(0, 0, 10, 10)), (2, box(8, 0, 12, 10)), (2, box(9, 0, 14, 10)))
    assert (label.values_HW[0, 7], label.values_HW[0, 8]) == (1, 2)
    assert label.overpainted_px == 20


def test_points_out_of_range_are_clipped() -> None:
    values_HW = paint((1, [[-1e12, -5, 1e12, -5, 1e12, 4, -1e12, 4]])).values_HW
    assert (values_HW[:4] == 1).all()
    assert (values_HW[4:] == 0).all()


def test_outlines_without_area_are_ignored_and_counted() -> None:
    label = paint((1, [[1, 1, 5, 5]]), (1, [[2, 2]]), (1, box(50, 50, 60, 60)))
    assert label.ignored_outlines == 3
    assert not label.values_HW.any()


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (None, "has no outline"),
        ([], "has no outline"),
        ("abc", "has no outline"),
        ([1, 2, 3, 4, 5, 6], "no list of x and y"),
        ([[1, 2, 3]], "no list of x and y"),
        ([[1, 2, "x", 4, 5, 6]], "no list of x and y"),
        ([[1, 2, float("nan"), 4, 5, 6]], "a point that is no number"),
        ({"size": [30, 20], "counts": [600]}, "for another size than 30x20"),
        ({"size": [20, 30], "counts": [599]}, "do not add up"),
        ({"size": [20, 30], "counts": [700, -100]}, "do not add up"),
        ({"size": [20, 30], "counts": [600.0]}, "no list of whole numbers"),
        ({"size": [20, 30]}, "no list of whole numbers"),
        ({"size": [20, 30], "counts": ""}, "do not add up"),
        ({"size": [20, 30], "counts": "3"}, "do not add up"),
        ({"size": [20, 30], "counts": "é3"}, "damaged character at position 0"),
        ({"size": [20, 30], "counts": "o"}, "cut off"),
        ({"size": [20, 30], "counts": "o" * 1000}, "damaged run lengths"),
    ],
)
def test_outline_that_says_nothing_certain_is_refused(shape: Any, reason: str) -> None:
    assert reason_of(shape).startswith("annotation 17 ")
    assert reason in reason_of(shape)
