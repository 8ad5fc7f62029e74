from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from atrous.core.sizes import Size
from atrous.datasets.contours import count_runs, cut_open, trace_regions

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own

# Few values in few pixels: holes, diagonals, islands in holes and touching classes all come up.
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
masks = shapes.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1, 1, 2, 255])))


def parse(*rows: str) -> np.ndarray:
    return np.array([[int(pixel) for pixel in row] for row in rows], np.uint8)


def rasterise(points_N2: np.ndarray, shape: tuple[int, int]) -> dict:
    return coco_mask.frPyObjects([points_N2.astype(float).ravel().tolist()], *shape)[0]


@given(masks)
@settings(max_examples=200, deadline=None)
def test_regions_cover_every_pixel_but_background_once(mask_HW: np.ndarray) -> None:
    painted_HW = np.zeros_like(mask_HW)
    for region in trace_regions(mask_HW):
        runs = {"size": list(mask_HW.shape), "counts": count_runs(region, Size(*mask_HW.shape))}
        is_inside_HW = coco_mask.decode(coco_mask.frPyObjects(runs, *mask_HW.shape)).astype(bool)
        assert not painted_HW[is_inside_HW].any()
        painted_HW[is_inside_HW] = region.class_id
    np.testing.assert_array_equal(painted_HW, mask_HW)


@given(masks)
@settings(max_examples=200, deadline=None)
def test_outlines_areas_and_boxes_are_as_pycocotools_finds_them(mask_HW: np.ndarray) -> None:
    for region in trace_regions(mask_HW):
        runs = {"size": list(mask_HW.shape), "counts": count_runs(region, Size(*mask_HW.shape))}
        expected = coco_mask.frPyObjects(runs, *mask_HW.shape)
        assert rasterise(cut_open(region), mask_HW.shape) == expected
        if not region.holes:
            assert rasterise(region.outer_N2, mask_HW.shape) == expected
        assert region.area_px == coco_mask.area(expected)
        assert list(region.box_xywh_px) == coco_mask.toBbox(expected).tolist()


@given(masks)
@settings(max_examples=100, deadline=None)
def test_cut_open_outline_walks_straight_from_corner_to_corner(mask_HW: np.ndarray) -> None:
    for region in trace_regions(mask_HW):
        points_N2 = cut_open(region)
        steps_N2 = np.diff(np.concatenate([points_N2, points_N2[:1]]), axis=0)
        assert ((steps_N2 != 0).sum(axis=1) == 1).all()
        turns_N2 = np.sign(steps_N2) != np.sign(np.roll(steps_N2, 1, axis=0))
        assert turns_N2.any(axis=1).all()


def test_single_pixel_has_four_corners() -> None:
    (region,) = trace_regions(parse("000", "000", "030"))
    assert region.class_id == 3
    assert region.outer_N2.tolist() == [[1, 2], [2, 2], [2, 3], [1, 3]]


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    (region,) = trace_regions(parse("10", "01"))
    assert (region.area_px, region.box_xywh_px) == (2, (0, 0, 2, 2))


def test_classes_that_touch_are_parted_in_order_of_id() -> None:
    assert [region.class_id for region in trace_regions(parse("21", "21"))] == [1, 2]


def test_hole_turns_the_other_way() -> None:
    (region,) = trace_regions(parse("111", "101", "111"))
    assert region.outer_N2.tolist() == [[0, 0], [3, 0], [3, 3], [0, 3]]
    (hole_N2,) = region.holes
    assert {tuple(point) for point in hole_N2.tolist()} == {(1, 1), (2, 1), (2, 2), (1, 2)}
    assert region.area_px == 8


def test_island_in_a_hole_is_a_region_of_its_own() -> None:
    regions = trace_regions(parse("11111", "10001", "10101", "10001", "11111"))
    assert [(region.area_px, len(region.holes)) for region in regions] == [(16, 1), (1, 0)]


def test_background_and_empty_masks_have_no_regions() -> None:
    assert trace_regions(np.zeros((4, 5), np.uint8)) == []


def test_thousand_holes_under_each_other_are_cut_open() -> None:
    mask_HW = np.ones((2001, 3), np.uint8)
    mask_HW[1::2, 1] = 0
    (region,) = trace_regions(mask_HW)
    runs = {"size": [2001, 3], "counts": count_runs(region, Size(2001, 3))}
    assert rasterise(cut_open(region), (2001, 3)) == coco_mask.frPyObjects(runs, 2001, 3)
