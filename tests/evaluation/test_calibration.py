from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.scenes import Answer, answer, predict_in_turn, sample

from atrous.core.class_map import ClassMap
from atrous.evaluation.calibration import count_confidence, measure_reliability
from atrous.evaluation.evaluate import Tempered, evaluate
from atrous.evaluation.temperature import Temperature, fit_temperature

ROADS = ClassMap(("background", "road", "car"))


def draw_pixels(temperature: float, count: int = 20_000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a model whose confidence is right once they are divided by the temperature, and labels."""
    rng = np.random.default_rng(0)
    logits_NK = rng.normal(0, 2, (count, classes))
    share_NK = np.exp(logits_NK)
    share_NK /= share_NK.sum(axis=1, keepdims=True)
    label_N = (share_NK.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return (temperature * logits_NK).astype(np.float32), label_N.astype(np.uint8)


def fit(logits_NK: np.ndarray, label_N: np.ndarray) -> Temperature:
    found = fit_temperature(logits_NK, label_N)
    assert found is not None
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_error_is_that_of_sorting_pixels_into_bins_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    label_HW, mask_HW = rng.choice([0, 1, 2, 255], shape), rng.integers(0, 3, shape)
    confidence_HW = (rng.integers(1, 61, shape) / 60).astype(np.float32)
    found = measure_reliability(count_confidence(label_HW.astype(np.uint8), mask_HW.astype(np.uint8), confidence_HW))
    bins: dict[int, list[tuple[bool, float]]] = {}
    for label, winner, confidence in zip(label_HW.flat, mask_HW.flat, confidence_HW.flat, strict=True):
        if label != 255:
            place = next(i for i in range(15) if confidence * 15 <= np.float32(i + 1))
            bins.setdefault(place, []).append((label == winner, float(confidence)))
    total = sum(map(len, bins.values()))
    gaps = [abs(np.mean([x for x, _ in one]) - np.mean([y for _, y in one])) * len(one) for one in bins.values()]
    assert [one.pixels for one in found.bins] == [len(bins.get(place, [])) for place in range(15)]
    assert found.ece == (pytest.approx(sum(gaps) / total, abs=1e-6) if total else None)


def test_what_the_network_did_not_see_is_not_judged() -> None:
    counts_FB = count_confidence(np.array([[0, 1]], np.uint8), np.zeros((1, 2), np.uint8), np.float32([[0.9, 0]]))
    assert counts_FB[0].sum() == 1


def test_full_confidence_is_in_the_last_bin() -> None:
    reliability = measure_reliability(count_confidence(*np.uint8([[[1, 1]], [[1, 0]]]), np.float32([[1, 1]])))
    assert (reliability.bins[-1].pixels, reliability.bins[-1].accuracy, reliability.ece) == (2, 0.5, 0.5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_confidence_is_found_again(temperature: float) -> None:
    found = fit(*draw_pixels(temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    assert found.ece_after < 0.02
    if temperature != 1:
        assert found.ece_before > 4 * found.ece_after
    assert found.pixels == 20_000


def test_no_other_temperature_makes_the_labels_more_likely() -> None:
    logits_NK, label_N = draw_pixels(1.7)

    def loss(temperature: float) -> float:
        scores_NK = logits_NK.astype(float) / temperature
        true_N = scores_NK[np.arange(len(label_N)), label_N]
        return float(np.mean(np.log(np.exp(scores_NK).sum(axis=1)) - true_N))

    best = fit(logits_NK, label_N).temperature
    assert all(loss(best) <= loss(best * factor) for factor in (0.5, 0.99, 0.999, 1.001, 1.01, 2))


def test_high_logits_do_not_overflow_and_a_perfect_model_stays_in_range() -> None:
    label_N = np.array([0, 1, 2] * 10, np.uint8)
    found = fit(np.eye(3, dtype=np.float32)[label_N] * 5000, label_N)
    assert found.temperature == pytest.approx(0.1, rel=1e-3)
    assert np.isfinite([found.ece_before, found.ece_after]).all()


def test_without_pixels_there_is_no_temperature() -> None:
    assert fit_temperature(np.empty((0, 3), np.float32), np.empty(0, np.uint8)) is None


def test_an_evaluation_tells_both_curves_where_the_model_has_a_temperature() -> None:
    samples = [sample("a.png", [[1, 1, 0, 0]]), sample("b.png", [[1, 1, 0, 255]])]
    sure = [answer([[1, 0, 0, 0]], 0.95), answer([[1, 0, 0, 0]], 0.95)]
    tempered = [Answer(one.mask_HW, one.confidence_HW - np.float32(0.25)) for one in sure]
    alone = evaluate(samples, predict_in_turn(*sure), ROADS, threshold=0.4).as_json()["calibration"]
    assert (alone["temperature"], alone["after"]) == (None, None)
    both = evaluate(
        samples, predict_in_turn(*sure), ROADS, threshold=0.4, tempered=Tempered(2.0, predict_in_turn(*tempered))
    )
    written = json.loads(json.dumps(both.as_json(), allow_nan=False))["calibration"]
    assert written["temperature"] == 2.0
    assert written["before"]["ece"] == alone["before"]["ece"] == pytest.approx(0.95 - 5 / 7)
    assert written["after"]["ece"] == pytest.approx(5 / 7 - 0.7)
    assert both.plain.mean_iou == evaluate(samples, predict_in_turn(*sure), ROADS, threshold=0.4).plain.mean_iou
