from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.scenes import Answer, answer, predict_in_turn

from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidInputError
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.scores import compute_scores
from atrous.evaluation.summary import find_best_percent, summarise
from atrous.evaluation.sweep import PERCENTS, count_levels, find_optimum, rate_classes, sweep_thresholds

ROADS = ClassMap(("background", "road", "car"))


def draw(seed: int) -> tuple[np.ndarray, Answer]:
    """A label with void and an answer whose confidences lie on the thresholds, and one step of float32 beside them."""
    rng = np.random.default_rng(seed)
    label_HW = rng.choice([0, 1, 2, 255], (7, 9)).astype(np.uint8)
    on_HW = (rng.integers(0, 101, label_HW.shape) / 100).astype(np.float32)
    beside_HW = np.nextafter(on_HW, rng.choice([0, 1], label_HW.shape).astype(np.float32))
    confidence_HW = np.where(rng.random(label_HW.shape) < 0.5, on_HW, beside_HW)
    return label_HW, Answer(rng.integers(0, 3, label_HW.shape, dtype=np.uint8), confidence_HW)


def sweep(*pairs: tuple[np.ndarray, Answer]) -> np.ndarray:
    return sweep_thresholds(sum(count_levels(label_HW, predicted, class_count=3) for label_HW, predicted in pairs))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_matrix_is_that_of_an_evaluation_with_its_threshold(seed: int) -> None:
    pairs = [draw(seed), draw(seed + 1)]
    samples = [("one.jpg", np.zeros((*label_HW.shape, 3), np.uint8), label_HW) for label_HW, _ in pairs]
    counts_KKT = sweep(*pairs)
    for percent in (0, 1, 29, 40, 50, 57, 58, 90, 99, 100):
        direct = evaluate(samples, predict_in_turn(*(one for _, one in pairs)), ROADS, threshold=percent / 100)
        assert np.array_equal(counts_KKT[:, :, percent], direct.served_KK), percent


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_rates_are_those_of_the_scores(seed: int) -> None:
    counts_KKT = sweep(draw(seed))
    rates = rate_classes(counts_KKT)
    for percent in PERCENTS[::25]:
        scores = compute_scores(counts_KKT[:, :, percent], ROADS)
        for class_id, of_class in enumerate(scores.classes):
            told = [of_class.iou, of_class.precision, of_class.recall, of_class.f1]
            swept = [
                rate[class_id, percent] for rate in (rates.iou_KT, rates.precision_KT, rates.recall_KT, rates.f1_KT)
            ]
            assert swept == pytest.approx([np.nan if value is None else value for value in told], nan_ok=True)


def test_means_leave_out_background_and_classes_that_are_nowhere() -> None:
    rates = rate_classes(sweep((np.array([[1, 1, 1, 0]], np.uint8), answer([[1, 1, 0, 1]], 0.6))))
    assert summarise(rates, 60) == {"mIoU": 0.5, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    assert summarise(rates, 61) == {"mIoU": 0.0, "precision": None, "recall": 0.0, "f1": 0.0}


def test_the_best_threshold_is_the_lowest_of_those_with_the_highest_f1() -> None:
    wrong_and_unsure = np.array([[1, 1, 0]], np.uint8), answer([[1, 1, 1]], [[0.9, 0.8, 0.3]])
    assert find_best_percent(rate_classes(sweep(wrong_and_unsure))) == 31


def test_there_is_no_best_threshold_where_nothing_is_ever_found() -> None:
    nothing = np.array([[1, 0]], np.uint8), answer([[0, 0]])
    assert find_best_percent(rate_classes(sweep(nothing))) is None
    assert find_optimum(np.full(101, np.nan)) is None


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="the label has class id 7, but there are 3 classes"):
        count_levels(np.array([[255, 7]], np.uint8), answer([[0, 0]]), class_count=3)


def test_a_prediction_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="the label is 2x1 but the prediction 1x1"):
        count_levels(np.array([[1, 1]], np.uint8), answer([[0]]), class_count=3)
