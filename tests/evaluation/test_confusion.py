from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from atrous.core.errors import InvalidInputError
from atrous.evaluation import confusion
from atrous.evaluation.confusion import count_pixels


def mask(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_rows_are_labels_and_columns_are_predictions() -> None:
    counts_KK = count_pixels(mask([[0, 0, 1]]), mask([[0, 1, 2]]), class_count=3)
    assert counts_KK.tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert counts_KK.dtype == np.int64


def test_void_labels_are_not_counted() -> None:
    counts_KK = count_pixels(mask([[255, 255, 1]]), mask([[0, 1, 1]]), class_count=2)
    assert counts_KK.tolist() == [[0, 0], [0, 1]]


def test_different_sizes_are_refused_with_both_sizes() -> None:
    with pytest.raises(InvalidInputError, match="label is 3x2 but the prediction 2x3"):
        count_pixels(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), class_count=2)


def test_an_unknown_label_id_is_refused_by_its_number() -> None:
    with pytest.raises(InvalidInputError, match="label has class id 7, but there are 3 classes"):
        count_pixels(mask([[0, 7]]), mask([[0, 0]]), class_count=3)


@pytest.mark.parametrize("predicted", [3, 255])
def test_an_unknown_or_void_prediction_is_refused_even_where_the_label_is_void(predicted: int) -> None:
    with pytest.raises(InvalidInputError, match=f"prediction has class id {predicted}"):
        count_pixels(mask([[255, 1]]), mask([[predicted, 1]]), class_count=3)


@pytest.mark.parametrize("class_count", [0, 256])
def test_class_counts_that_no_mask_can_hold_are_refused(class_count: int) -> None:
    with pytest.raises(InvalidInputError, match=f"{class_count} classes"):
        count_pixels(mask([[0]]), mask([[0]]), class_count=class_count)


def test_the_largest_number_of_classes_does_not_overflow() -> None:
    counts_KK = count_pixels(mask([[254, 255, 0]]), mask([[254, 254, 254]]), class_count=255)
    assert counts_KK[254, 254] == 1
    assert counts_KK[0, 254] == 1
    assert counts_KK.sum() == 2


def test_a_picture_larger_than_a_block_is_counted_whole() -> None:
    rng = np.random.default_rng(3)
    side_px = int(confusion.BLOCK_PX**0.5) + 7
    label_HW, predicted_HW = rng.integers(0, 3, (2, side_px, side_px), dtype=np.uint8)
    counts_KK = count_pixels(label_HW, predicted_HW, class_count=3)
    expected = [[int(((label_HW == i) & (predicted_HW == j)).sum()) for j in range(3)] for i in range(3)]
    assert counts_KK.tolist() == expected


def test_arrays_that_are_not_contiguous_are_counted_pixel_by_pixel() -> None:
    label_HW, predicted_HW = mask([[0, 1], [1, 1]]), mask([[0, 0], [1, 0]])
    turned = count_pixels(label_HW.T, np.ascontiguousarray(predicted_HW.T), class_count=2)
    assert turned.tolist() == count_pixels(label_HW, predicted_HW, class_count=2).tolist()


@given(st.data(), st.integers(1, 6), npst.array_shapes(min_dims=2, max_dims=2, max_side=9))
def test_counts_equal_those_of_a_loop_over_pixels(
    data: st.DataObject, class_count: int, shape: tuple[int, int]
) -> None:
    labels = st.integers(0, class_count - 1) | st.just(255)
    label_HW = data.draw(npst.arrays(np.uint8, shape, elements=labels))
    predicted_HW = data.draw(npst.arrays(np.uint8, shape, elements=st.integers(0, class_count - 1)))
    assert count_pixels(label_HW, predicted_HW, class_count=class_count).tolist() == count_slowly(
        label_HW, predicted_HW, class_count
    )


def count_slowly(label_HW: np.ndarray, predicted_HW: np.ndarray, class_count: int) -> list[list[int]]:
    counts = [[0] * class_count for _ in range(class_count)]
    for y in range(label_HW.shape[0]):
        for x in range(label_HW.shape[1]):
            if label_HW[y, x] != 255:
                counts[label_HW[y, x]][predicted_HW[y, x]] += 1
    return counts
