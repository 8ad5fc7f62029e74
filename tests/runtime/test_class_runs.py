from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from atrous.runtime.class_runs import CHUNK, find_class_runs, write_counts
from atrous.runtime.decode import Answer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
masks = shapes.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1, 2, 254])))


def draw_noise(shape_HW: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape_HW).astype(np.uint8)


def assert_is_as_pycocotools_finds_it(answer: Answer) -> None:
    found = find_class_runs(answer)
    assert [runs.class_id for runs in found] == [value for value in np.unique(answer.mask_HW).tolist() if value]
    for runs in found:
        is_class_HW = answer.mask_HW == runs.class_id
        expected = coco_mask.encode(np.asfortranarray(is_class_HW.astype(np.uint8)))
        assert write_counts(runs.counts_N).encode() == expected["counts"]
        assert runs.area_px == coco_mask.area(expected)
        assert list(runs.box_xywh_px) == coco_mask.toBbox(expected).tolist()
        assert runs.confidence == pytest.approx(answer.levels_HW[is_class_HW].mean() / 255)


@given(masks)
@settings(max_examples=200, deadline=None)
def test_classes_of_small_masks_are_as_pycocotools_finds_them(mask_HW: np.ndarray) -> None:
    assert_is_as_pycocotools_finds_it(Answer(mask_HW, draw_noise(mask_HW.shape)))


def test_runs_as_long_as_a_picture_and_as_short_as_a_pixel_are_written_alike() -> None:
    mask_HW = np.zeros((2000, 700), np.uint8)
    mask_HW[:, 300:] = 1
    mask_HW[::2, 500] = 2
    mask_HW[999, 3] = 3
    assert_is_as_pycocotools_finds_it(Answer(mask_HW, draw_noise(mask_HW.shape)))


def test_more_counts_than_are_written_at_a_time_are_one_text() -> None:
    mask_HW = (draw_noise((500, 600)) % 2).astype(np.uint8)
    (runs,) = find_class_runs(Answer(mask_HW, mask_HW))
    assert len(runs.counts_N) > 2 * CHUNK
    assert_is_as_pycocotools_finds_it(Answer(mask_HW, mask_HW))


def test_nothing_but_background_has_no_classes() -> None:
    nothing_HW = np.zeros((3, 4), np.uint8)
    assert find_class_runs(Answer(nothing_HW, nothing_HW)) == []
