from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.evaluation.scenes import Answer, answer, predict_in_turn, sample

from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidInputError
from atrous.evaluation.comparison import Comparison, check_comparable, compare
from atrous.evaluation.evaluate import Tempered, evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

ROADS = ClassMap(("background", "road", "car"))
RIGHT = [0, 1, 1, 1]


def compare_rows(first: Sequence[list[int]], second: Sequence[list[int]], example_count: int = 2) -> Comparison:
    samples = [sample(f"{place}.png", [RIGHT]) for place in range(len(first))]
    predictions = (predict_in_turn(*(answer([row]) for row in rows)) for rows in (first, second))
    return compare(samples, *predictions, ROADS, threshold=0.4, example_count=example_count)


def test_scores_are_those_of_scoring_each_model_alone() -> None:
    first, second = [[0, 0, 1, 1]] * 3, [RIGHT] * 3
    comparison = compare_rows(first, second)
    alone = evaluate(
        [sample(f"{place}.png", [RIGHT]) for place in range(3)],
        predict_in_turn(*(answer([row]) for row in first)),
        ROADS,
        threshold=0.4,
    )
    assert comparison.first.served == alone.served
    assert comparison.second.served.mean_iou == 1
    assert comparison.served.mean_iou == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)
    background, road, car = comparison.served.classes
    assert (background.difference, road.difference) == (pytest.approx(1 / 2), pytest.approx(1 / 3))
    assert (car.first, car.second, car.difference, car.interval) == (None, None, None, None)


def test_a_steady_gain_is_clear_and_a_draw_is_not() -> None:
    steady = compare_rows([[0, 0, 1, 1]] * 6, [RIGHT] * 6).served
    assert steady.is_clear
    assert steady.share_better == 1
    draw = compare_rows([[0, 0, 1, 1], RIGHT] * 3, [RIGHT, [0, 0, 1, 1]] * 3).served
    assert not draw.is_clear
    assert draw.mean_iou == pytest.approx(0)
    assert draw.interval is not None
    assert draw.interval.low < 0 < draw.interval.high


def test_pictures_come_with_the_share_of_pixels_that_differ_most_different_first() -> None:
    comparison = compare_rows([RIGHT, RIGHT, [2, 2, 2, 2]], [RIGHT, [0, 1, 1, 2], RIGHT])
    assert [(picture.name, picture.share) for picture in comparison.pictures] == [
        ("2.png", 1.0), ("1.png", 0.25), ("0.png", 0.0),
    ]  # fmt: skip
    assert comparison.share == pytest.approx(5 / 12)
    assert comparison.pictures[0].first == 0
    assert comparison.pictures[0].second == 1
    shown = [(twin.second.name, twin.share, twin.first.mean_iou, twin.second.mean_iou) for twin in comparison.examples]
    assert shown[0] == ("2.png", 1.0, 0.0, 1.0)
    assert [name for name, *_ in shown] == ["2.png", "1.png"]
    assert comparison.examples[0].first.predicted_HW.tolist() == [[2, 2, 2, 2]]
    assert comparison.examples[0].second.predicted_HW.tolist() == [RIGHT]


def test_of_many_pictures_the_most_different_are_kept() -> None:
    rows = [[[1, 1, 1, 1], RIGHT, [2, 2, 2, 1], [2, 2, 1, 1]][place % 4] for place in range(8)]
    comparison = compare_rows([RIGHT] * 8, rows, example_count=3)
    assert [twin.share for twin in comparison.examples] == [0.75, 0.75, 0.5]
    assert compare_rows([RIGHT] * 8, rows, example_count=0).examples == ()


def test_void_pixels_do_not_differ() -> None:
    samples = [sample("void.png", [[255, 255]]), sample("half.png", [[255, 1]])]
    first, second = ([answer([row]), answer([row])] for row in ([1, 1], [0, 1]))
    comparison = compare(samples, predict_in_turn(*first), predict_in_turn(*second), ROADS, threshold=0.4)
    assert comparison.share == 0
    assert comparison.examples == ()


def test_json_holds_both_scores_and_no_pixels() -> None:
    written = json.loads(json.dumps(compare_rows([RIGHT] * 2, [[0, 1, 1, 2]] * 2).as_json(), allow_nan=False))
    assert written["first"]["served"]["mean_iou"] == 1
    assert written["served"]["mean_iou"] < 0
    assert written["served"]["interval"] == [written["served"]["mean_iou"]] * 2
    assert written["pictures"][0] == {
        "name": "0.png", "share": 0.25, "first": 1.0, "second": written["second"]["pictures"][0]["mean_iou"],
    }  # fmt: skip


def test_one_picture_gives_a_difference_without_an_interval() -> None:
    served = compare_rows([RIGHT], [[0, 0, 1, 1]]).served
    assert served.mean_iou is not None
    assert (served.interval, served.share_better, served.is_clear) == (None, None, False)


def test_the_second_models_calibration_is_measured_at_its_temperature() -> None:
    row = np.array([RIGHT], np.uint8)
    tempered = Tempered(2.0, lambda _: Answer(row, np.full(row.shape, 0.5, np.float32)))
    comparison = compare(
        [sample("a.png", [RIGHT])],
        predict_in_turn(answer([RIGHT])),
        predict_in_turn(answer([RIGHT])),
        ROADS,
        threshold=0.4,
        tempered=tempered,
    )
    calibration = comparison.second.calibration
    assert calibration.after is not None
    assert (calibration.temperature, calibration.after.ece) == (2.0, pytest.approx(0.5))


def test_models_of_other_classes_are_refused() -> None:
    check_comparable(ROADS, ROADS)
    with pytest.raises(InvalidInputError, match="'tree' is a class of only one of them; compare models of one version"):
        check_comparable(ROADS, ClassMap((*ROADS.names, "tree")))
    with pytest.raises(InvalidInputError, match="their classes are in another order"):
        check_comparable(ROADS, ClassMap(("background", "car", "road")))
