from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atrous.datasets.contours import trace_regions
from atrous.runtime.decode import Answer
from atrous.runtime.outlines import OutlinedRegion, OutlineWish, outline_regions

Ring: TypeAlias = frozenset[tuple[tuple[int, ...], tuple[int, ...]]]

# Few values in few pixels: holes, diagonals, islands in holes and touching classes all come up.
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
masks = shapes.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1, 1, 2, 254])))


def parse(*rows: str) -> np.ndarray:
    return np.array([[int(pixel) for pixel in row] for row in rows], np.uint8)


def outline(mask_HW: np.ndarray, **wish: float) -> list[OutlinedRegion]:
    return outline_regions(Answer(mask_HW, np.full_like(mask_HW, 255)), OutlineWish(**wish))[0]  # type: ignore[arg-type]


def rasterise(region: OutlinedRegion, shape_HW: tuple[int, int]) -> np.ndarray:
    """By the even-odd rule: to the right of each unit of an upright edge, inside and outside change places."""
    crossings_HW = np.zeros((shape_HW[0], shape_HW[1] + 1), int)
    for ring_N2 in (region.outer_N2, *region.holes):
        for (x, y), (next_x, next_y) in zip(ring_N2, np.roll(ring_N2, -1, axis=0), strict=True):
            assert (x == next_x) != (y == next_y), "an outline goes along the edges of pixels"
            crossings_HW[min(y, next_y) : max(y, next_y), x] += 1
    return crossings_HW.cumsum(axis=1)[:, :-1] % 2 == 1


def steps(ring_N2: np.ndarray) -> Ring:
    """A ring, wherever it begins."""
    return frozenset(
        (tuple(a), tuple(b)) for a, b in zip(ring_N2.tolist(), np.roll(ring_N2, -1, 0).tolist(), strict=True)
    )


def draw_blobs(seed: int, shape_HW: tuple[int, int] = (120, 160)) -> np.ndarray:
    noise_HW = np.random.default_rng(seed).normal(size=shape_HW).astype(np.float32)
    return np.digitize(cv2.GaussianBlur(noise_HW, (0, 0), 5), (-0.05, 0.0, 0.05)).astype(np.uint8)


@given(masks)
@settings(max_examples=200, deadline=None)
def test_rasterised_outlines_give_the_mask_back(mask_HW: np.ndarray) -> None:
    painted_HW = np.zeros_like(mask_HW)
    for region in outline(mask_HW):
        is_inside_HW = rasterise(region, mask_HW.shape)
        assert not painted_HW[is_inside_HW].any(), "regions do not overlap"
        assert is_inside_HW.sum() == region.area_px
        painted_HW[is_inside_HW] = region.class_id
    np.testing.assert_array_equal(painted_HW, mask_HW)


@given(masks)
@settings(max_examples=200, deadline=None)
def test_outlines_are_those_of_exported_labels(mask_HW: np.ndarray) -> None:
    ours = {
        (r.class_id, r.area_px, r.box_xywh_px, steps(r.outer_N2), frozenset(map(steps, r.holes)))
        for r in outline(mask_HW)
    }
    labels = trace_regions(mask_HW)
    assert len(outline(mask_HW)) == len(labels)
    assert ours == {
        (r.class_id, r.area_px, r.box_xywh_px, steps(r.outer_N2), frozenset(map(steps, r.holes))) for r in labels
    }


def test_confidence_is_the_mean_of_a_regions_own_pixels() -> None:
    levels_HW = np.array([[255, 255, 0, 51], [255, 0, 0, 51]], np.uint8)
    answer = Answer(parse("1102", "1002"), levels_HW)
    assert {region.class_id: region.confidence for region in outline_regions(answer)[0]} == {1: 1.0, 2: 0.2}
    islands = Answer(parse("101"), np.array([[255, 255, 102]], np.uint8))
    assert [region.confidence for region in outline_regions(islands)[0]] == [1.0, pytest.approx(0.4)]


def test_the_largest_region_comes_first_and_specks_are_left_out_if_wished() -> None:
    mask_HW = parse("100222", "000222", "110030")
    assert [region.area_px for region in outline(mask_HW)] == [6, 2, 1, 1]
    assert [region.area_px for region in outline(mask_HW, min_area_px=2)] == [6, 2]


def test_more_regions_than_may_be_told_are_cut_off_behind_the_largest() -> None:
    mask_HW = np.zeros((40, 40), np.uint8)
    mask_HW[::2, ::2] = 1
    mask_HW[10:13, 10:13] = 2
    answer = Answer(mask_HW, mask_HW)
    regions, is_truncated = outline_regions(answer, OutlineWish(max_regions=5))
    assert (len(regions), regions[0].class_id, is_truncated) == (5, 2, True)
    regions, is_truncated = outline_regions(answer, OutlineWish(max_corners=13))
    assert (sum(len(region.outer_N2) for region in regions), is_truncated) == (12, True)
    assert outline_regions(answer)[1] is False


def test_regions_that_are_left_out_as_specks_are_not_missed() -> None:
    _, is_truncated = outline_regions(Answer(parse("1022"), parse("1022")), OutlineWish(min_area_px=2, max_regions=1))
    assert not is_truncated


@pytest.mark.parametrize("tolerance_px", [1, 3])
def test_simplified_outlines_have_fewer_corners_and_stay_within_the_tolerance(tolerance_px: int) -> None:
    mask_HW = draw_blobs(0)
    exact, simple = outline(mask_HW), outline(mask_HW, simplify_px=tolerance_px)
    assert sum(len(region.outer_N2) for region in simple) < sum(len(region.outer_N2) for region in exact) / 3
    for before, after in zip(exact, simple, strict=True):
        assert before.area_px == after.area_px, "figures are those of the mask"
        for corner in before.outer_N2.tolist():
            assert abs(cv2.pointPolygonTest(after.outer_N2, corner, measureDist=True)) <= tolerance_px + 1e-3


def test_a_region_too_thin_for_the_tolerance_becomes_its_box_and_a_hole_vanishes() -> None:
    mask_HW = parse("11111", "11011", "11111", "00000", "02000")
    around, speck = outline(mask_HW, simplify_px=2)
    assert (len(around.outer_N2), around.holes) == (4, ())
    assert speck.outer_N2.tolist() == [[1, 4], [2, 4], [2, 5], [1, 5]]


def test_a_picture_of_noise_is_answered_with_so_many_regions_and_no_more() -> None:
    noise_HW = np.random.default_rng(0).integers(0, 12, (800, 1000)).astype(np.uint8)
    regions, is_truncated = outline_regions(Answer(noise_HW, noise_HW))
    assert (len(regions), is_truncated) == (10_000, True)


def test_background_has_no_regions() -> None:
    nothing_HW = np.zeros((3, 4), np.uint8)
    assert outline_regions(Answer(nothing_HW, nothing_HW)) == ([], False)
