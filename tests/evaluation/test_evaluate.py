from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.scenes import Answer, answer, predict_in_turn, sample

from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidInputError, StoppedError
from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.scores import RULE
from atrous.runtime.decode import Prediction, apply_threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.predicted import Labelled

ROADS = ClassMap(("background", "road", "car"))


def evaluate_one(label: list[list[int]], predicted: Answer, threshold: float = 0.4) -> Evaluation:
    return evaluate([sample("one.jpg", label)], predict_in_turn(predicted), ROADS, threshold=threshold)


def test_pixels_below_the_threshold_are_background_as_served_and_themselves_as_plain() -> None:
    evaluation = evaluate_one([[1, 1, 0, 0]], answer([[1, 1, 1, 0]], [[0.9, 0.3, 0.3, 0.9]]))
    assert evaluation.plain_KK.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert evaluation.served_KK.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert evaluation.plain.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert evaluation.served.mean_iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert evaluation.threshold == 0.4


def test_a_confidence_equal_to_the_threshold_is_kept() -> None:
    confidence = float(np.float32(0.4))
    assert evaluate_one([[1]], answer([[1]], confidence), threshold=0.4).served.mean_iou == 1


def test_a_threshold_of_zero_serves_the_plain_winner() -> None:
    evaluation = evaluate_one([[1, 2]], answer([[1, 1]], 0.01), threshold=0)
    assert evaluation.served == evaluation.plain


def test_what_is_scored_as_served_is_what_the_runtime_answers() -> None:
    rng = np.random.default_rng(5)
    name, image_HWC, label_HW = sample("one.jpg", rng.integers(0, 3, (40, 50)).tolist())
    # Steps of 0.1 put many confidences on the threshold itself.
    confidence_HW = (rng.integers(0, 11, label_HW.shape) / 10).astype(np.float32)
    predicted = Prediction(rng.integers(0, 3, label_HW.shape, dtype=np.uint8), confidence_HW)
    evaluation = evaluate([(name, image_HWC, label_HW)], lambda _: predicted, ROADS, threshold=0.4)
    answered_HW = apply_threshold(predicted, 0.4).mask_HW
    assert np.array_equal(evaluation.served_KK, count_pixels(label_HW, answered_HW, class_count=3))


def test_pictures_are_scored_together_and_not_averaged_one_by_one() -> None:
    samples = [sample("small.jpg", [[1]]), sample("large.jpg", [[1, 1, 1, 0]])]
    predict = predict_in_turn(answer([[0]]), answer([[1, 1, 1, 0]]))
    evaluation = evaluate(samples, predict, ROADS, threshold=0.4)
    assert evaluation.served_KK.tolist() == [[1, 0, 0], [1, 3, 0], [0, 0, 0]]
    assert evaluation.served.mean_iou == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert [(picture.name, picture.mean_iou) for picture in evaluation.pictures] == [("small.jpg", 0), ("large.jpg", 1)]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_sum_over_pictures_is_the_matrix_of_the_dataset(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    labels = [rng.choice([0, 1, 2, 255], (4, int(rng.integers(1, 7)))).astype(np.uint8) for _ in range(count)]
    answers = [Answer(rng.integers(0, 3, x.shape, dtype=np.uint8), rng.random(x.shape, np.float32)) for x in labels]
    samples = [(f"{i}.jpg", np.zeros((*x.shape, 3), np.uint8), x) for i, x in enumerate(labels)]
    whole = evaluate(samples, predict_in_turn(*answers), ROADS, threshold=0.4)
    single = [evaluate([s], predict_in_turn(a), ROADS, threshold=0.4) for s, a in zip(samples, answers, strict=True)]
    assert np.array_equal(whole.plain_KK, sum(one.plain_KK for one in single))
    assert np.array_equal(whole.served_KK, sum(one.served_KK for one in single))
    assert [picture.mean_iou for picture in whole.pictures] == [one.served.mean_iou for one in single]


def test_a_picture_that_is_void_throughout_is_not_ranked() -> None:
    evaluation = evaluate_one([[255, 255]], answer([[0, 1]]))
    assert evaluation.pictures[0].mean_iou is None
    assert evaluation.served.mean_iou is None
    assert evaluation.worst == ()
    assert evaluation.best == ()


def test_the_worst_and_the_best_pictures_are_kept_in_order() -> None:
    samples = [sample(f"{right}.jpg", [[1] * 10]) for right in (5, 9, 1, 7, 3, 8, 2)]
    answers = [answer([[1] * right + [0] * (10 - right)]) for right in (5, 9, 1, 7, 3, 8, 2)]
    evaluation = evaluate(samples, predict_in_turn(*answers), ROADS, threshold=0.4, example_count=2)
    assert [example.name for example in evaluation.worst] == ["1.jpg", "2.jpg"]
    assert [example.name for example in evaluation.best] == ["9.jpg", "8.jpg"]


def test_a_picture_is_not_both_worst_and_best() -> None:
    samples = [sample(name, [[1, 0]]) for name in ("a.jpg", "b.jpg")]
    evaluation = evaluate(samples, predict_in_turn(answer([[1, 0]]), answer([[0, 0]])), ROADS, threshold=0.4)
    assert [example.name for example in evaluation.worst] == ["b.jpg", "a.jpg"]
    assert evaluation.best == ()


def test_no_examples_are_kept_when_none_are_asked_for() -> None:
    evaluation = evaluate([sample("a", [[1]])], predict_in_turn(answer([[1]])), ROADS, threshold=0.4, example_count=0)
    assert (evaluation.worst, evaluation.best) == ((), ())


def test_examples_are_small_and_keep_only_ids_that_were_there() -> None:
    label_HW = np.zeros((600, 1200), np.uint8)
    label_HW[:, 600:] = 2
    evaluation = evaluate(
        [("large.jpg", np.zeros((600, 1200, 3), np.uint8), label_HW)],
        lambda _: Answer(label_HW, np.ones(label_HW.shape, np.float32)),
        ROADS,
        threshold=0.4,
    )
    (example,) = evaluation.worst
    assert example.image_HWC.shape == (240, 480, 3)
    assert np.unique(example.label_HW).tolist() == [0, 2]
    assert np.unique(example.predicted_HW).tolist() == [0, 2]


def test_full_size_pictures_are_let_go_while_the_others_stream_by() -> None:
    seen: list[weakref.ref[np.ndarray]] = []

    def stream() -> Iterator[Labelled]:
        for number in range(6):
            assert sum(reference() is not None for reference in seen) <= 1
            name, image_HWC, label_HW = sample(f"{number}.jpg", [[1, 0]])
            seen.append(weakref.ref(image_HWC))
            yield name, image_HWC, label_HW
            del image_HWC

    evaluate(stream(), lambda _: answer([[1, 0]]), ROADS, threshold=0.4)
    assert len(seen) == 6


def test_progress_is_told_after_each_picture() -> None:
    told: list[int] = []
    samples = [sample("a", [[1]]), sample("b", [[1]])]
    evaluate(samples, lambda _: answer([[1]]), ROADS, threshold=0.4, on_picture=told.append)
    assert told == [1, 2]


def test_progress_may_stop_the_evaluation() -> None:
    def stop(done: int) -> None:
        raise StoppedError(f"stopped after {done}")

    with pytest.raises(StoppedError, match="after 1"):
        evaluate([sample("a", [[1]])] * 3, lambda _: answer([[1]]), ROADS, threshold=0.4, on_picture=stop)


def test_a_picture_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"odd\.jpg: the label has class id 7"):
        evaluate([sample("odd.jpg", [[7]])], lambda _: answer([[1]]), ROADS, threshold=0.4)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no picture"):
        evaluate([], lambda _: answer([[1]]), ROADS, threshold=0.4)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        evaluate_one([[1]], answer([[1]]), threshold)


def test_json_holds_both_scores_with_the_rule_and_no_pixels() -> None:
    written = json.loads(json.dumps(evaluate_one([[1, 0]], answer([[1, 0]])).as_json(), allow_nan=False))
    assert written["plain"]["rule"] == written["served"]["rule"] == RULE
    assert written["threshold"] == 0.4
    assert written["confusion"]["served"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert written["pictures"] == [{"name": "one.jpg", "mean_iou": 1.0}]
    assert written["picture_count"] == 1
    assert set(written) == {
        "threshold", "plain", "served", "confusion", "sizes", "boundaries", "calibration", "warnings", "picture_count",
        "pictures", "seconds",
    }  # fmt: skip
