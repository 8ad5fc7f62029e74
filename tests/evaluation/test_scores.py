from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidInputError
from atrous.evaluation.scores import RULE, Scores, compute_scores

ROADS = ClassMap(("background", "road", "car"))


def scores_of(rows: list[list[int]]) -> Scores:
    return compute_scores(np.array(rows, np.int64), ROADS)


def test_ratios_are_those_computed_by_hand() -> None:
    scores = scores_of([[50, 10, 0], [5, 30, 0], [0, 2, 3]])
    background, road, car = scores.classes
    assert (background.iou, road.iou, car.iou) == (50 / 65, 30 / 47, 3 / 5)
    assert (background.precision, road.precision, car.precision) == (50 / 55, 30 / 42, 1.0)
    assert (background.recall, road.recall, car.recall) == (50 / 60, 30 / 35, 3 / 5)
    assert (background.f1, road.f1, car.f1) == (100 / 115, 60 / 77, 6 / 8)
    assert (road.label_pixels, road.predicted_pixels) == (35, 42)
    assert scores.pixel_accuracy == 83 / 100
    assert scores.mean_iou == pytest.approx((50 / 65 + 30 / 47 + 3 / 5) / 3, rel=1e-15)  # rounding of a sum of three


def test_a_class_in_neither_labels_nor_predictions_is_not_averaged() -> None:
    scores = scores_of([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    car = scores.classes[2]
    assert (car.iou, car.precision, car.recall, car.f1) == (None, None, None, None)
    assert scores.mean_iou == pytest.approx((3 / 4 + 4 / 5) / 2, rel=1e-15)


def test_a_class_that_is_predicted_but_in_no_label_counts_as_zero() -> None:
    scores = scores_of([[3, 0, 1], [0, 4, 0], [0, 0, 0]])
    car = scores.classes[2]
    assert (car.iou, car.precision, car.recall, car.f1) == (0, 0, None, 0)
    assert scores.mean_iou == pytest.approx((3 / 4 + 1 + 0) / 3, rel=1e-15)


def test_a_class_that_is_never_predicted_has_no_precision_and_counts_as_zero() -> None:
    scores = scores_of([[3, 0, 0], [0, 4, 0], [1, 0, 0]])
    car = scores.classes[2]
    assert (car.iou, car.precision, car.recall, car.f1) == (0, None, 0, 0)


def test_background_is_averaged_like_any_class() -> None:
    assert scores_of([[1, 1, 0], [0, 0, 0], [0, 0, 0]]).mean_iou == (1 / 2 + 0) / 2


def test_without_a_scored_pixel_everything_is_not_applicable() -> None:
    scores = scores_of([[0] * 3] * 3)
    assert scores.mean_iou is None
    assert scores.pixel_accuracy is None


def test_counts_beyond_32_bits_are_exact() -> None:
    huge = 2**52
    assert scores_of([[huge, 0, 0], [0, huge, huge], [0, 0, 0]]).classes[1].iou == 0.5


def test_json_carries_the_rule_and_writes_not_applicable_as_null() -> None:
    written = json.loads(json.dumps(scores_of([[3, 1, 0], [0, 4, 0], [0, 0, 0]]).as_json(), allow_nan=False))
    assert written["rule"] == RULE
    assert written["classes"][1]["iou"] == 4 / 5
    assert written["classes"][2] == {
        "name": "car",
        "iou": None,
        "precision": None,
        "recall": None,
        "f1": None,
        "label_pixels": 0,
        "predicted_pixels": 0,
    }


@pytest.mark.parametrize("fact", ["int64", "own size", "void", "Background", "n/a and not averaged"])
def test_the_rule_says_how_scores_are_made(fact: str) -> None:
    assert fact in RULE


def test_a_matrix_of_other_classes_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="3 classes"):
        compute_scores(np.zeros((2, 2), np.int64), ROADS)


@given(npst.arrays(np.int64, (3, 3), elements=st.integers(0, 50)))
def test_scores_are_shares_and_iou_never_exceeds_f1(counts_KK: np.ndarray) -> None:
    for of_class in compute_scores(counts_KK, ROADS).classes:
        for share in (of_class.iou, of_class.precision, of_class.recall, of_class.f1):
            assert share is None or 0 <= share <= 1
        if of_class.iou is not None and of_class.f1 is not None:
            assert of_class.iou <= of_class.f1
