from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from atrous.core.sizes import Size
from atrous.datasets.files.tree import File, Folder
from atrous.datasets.findings import Finding
from atrous.datasets.fixes import NO_FIXES, Fix
from atrous.datasets.outlines.outline import BOXES, CLIPPED, OVERPAINTED, WITHOUT_AREA, Outline, OutlineLabel
from atrous.datasets.outlines.segmentation import read_segmentation
from atrous.datasets.outlines.shapes import make_box, make_ellipse
from atrous.datasets.source import LabelValues, PictureShape
from tests.datasets.generated import run_lengths

if TYPE_CHECKING:
    from atrous.datasets.outlines.shapes import Shape

SIZE = Size(20, 30)


FILE = File(Folder(Path("pictures")), "a.jpg")


def paint(*shapes: tuple[int, Any], size: Size = SIZE, boxes: tuple[Shape, ...] = ()) -> LabelValues:
    outlines = tuple(
        Outline(f"annotation {n}", value, read_segmentation(shape)) for n, (value, shape) in enumerate(shapes)
    )
    label = OutlineLabel(FILE, size, outlines, boxes).load(PictureShape(size), NO_FIXES)
    assert isinstance(label, LabelValues), label
    return label


def reason_of(shape: Any) -> str:
    outline = Outline("annotation 17", 1, read_segmentation(shape))
    finding = OutlineLabel(FILE, SIZE, (outline,)).load(PictureShape(SIZE), NO_FIXES)
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
    assert label.remarks == {OVERPAINTED: 20}


def test_points_out_of_range_are_clipped_and_counted() -> None:
    label = paint((1, [[-1e12, -5, 1e12, -5, 1e12, 4, -1e12, 4]]), (2, box(0, 10, 30, 20)))
    assert (label.values_HW[:4] == 1).all()
    assert (label.values_HW[4:10] == 0).all()
    assert label.remarks == {CLIPPED: 1}


def test_box_makes_void_what_no_outline_covers() -> None:
    label = paint((1, box(0, 0, 4, 4)), boxes=(make_box(2, 0, 4, 4),))
    np.testing.assert_array_equal(label.values_HW[0, :7], [1, 1, 1, 1, 65535, 65535, 0])
    assert label.remarks == {BOXES: 1}


def test_boxes_alone_are_a_finding() -> None:
    finding = OutlineLabel(FILE, SIZE, (), (make_box(2, 0, 4, 4),)).load(PictureShape(SIZE), NO_FIXES)
    assert isinstance(finding, Finding)
    assert finding.reason == "has only boxes (1), which do not say what pixels are the objects'"


def test_turned_box_lies_clockwise_about_its_first_corner() -> None:
    area = make_box(10, 2, 6, 3, turned_deg=90).rasterise(SIZE)
    assert area is not None
    assert (area.left, area.top) == (7, 2)
    np.testing.assert_array_equal(area.is_inside_HW[:6, :3], np.ones((6, 3)))
    assert area.is_inside_HW.sum() == 18


def test_ellipse_has_the_area_of_its_radii() -> None:
    area = make_ellipse((15, 10), (12, 6)).rasterise(SIZE)
    assert area is not None
    assert area.is_inside_HW.sum() == pytest.approx(np.pi * 12 * 6, rel=0.03)


def test_label_of_half_the_size_is_scaled_when_asked() -> None:
    label = OutlineLabel(FILE, SIZE, (Outline("annotation 1", 1, read_segmentation(box(2, 2, 6, 6))),))
    picture = PictureShape(Size(40, 60))
    finding = label.load(picture, NO_FIXES)
    assert isinstance(finding, Finding)
    assert finding.fix is Fix.RESIZE_LABELS
    scaled = label.load(picture, frozenset({Fix.RESIZE_LABELS}))
    assert isinstance(scaled, LabelValues)
    assert (scaled.values_HW == 1).sum() == 64


def test_digest_tells_outlines_apart() -> None:
    def digest(*segmentations: Any, size: Size = SIZE) -> bytes:
        outlines = tuple(Outline("annotation 1", 1, read_segmentation(one)) for one in segmentations)
        return OutlineLabel(FILE, size, outlines).digest()

    assert digest(box(0, 0, 3, 3)) == digest(box(0, 0, 3, 3))
    others = [digest(box(0, 0, 3, 4)), digest(), digest(box(0, 0, 3, 3), size=Size(20, 31))]
    assert len({digest(box(0, 0, 3, 3)), *others}) == 4


def test_outline_of_absurd_length_is_refused() -> None:
    zigzag = [[(n % 2) * 29, (n * 7) % 20] for n in range(200_000)]
    assert "is longer than 2000000 pixels" in reason_of([np.ravel(zigzag).tolist()])


def test_outlines_without_area_are_ignored_and_counted() -> None:
    label = paint((1, [[1, 1, 5, 5]]), (1, [[2, 2]]), (1, box(50, 50, 60, 60)))
    assert label.remarks[WITHOUT_AREA] == 3
    assert not label.values_HW.any()


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (None, "has no outline"),
        ([], "has no outline"),
        ("abc", "has no outline"),
        ([1, 2, 3, 4, 5, 6], "no list of x and y"),
        ([[1, 2, "3", 4, 5, 6]], "no list of x and y"),
        ([[1, 2, 10**400, 4, 5, 6]], "no list of x and y"),
        ({"size": 3, "counts": [600]}, "without the size of their picture"),
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
