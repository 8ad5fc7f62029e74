from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.evaluation.scenes import answer, predict_in_turn, sample

from atrous.core.class_map import ClassMap
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.score_warnings import Kind, ScoreWarning, check_split, measure_divergence
from atrous.evaluation.traits import Traits, describe_picture, join_traits

if TYPE_CHECKING:
    from collections.abc import Sequence

ROADS = ClassMap(("background", "road", "car"))


def evaluate_rows(rows: Sequence[tuple[list[int], list[int]]]) -> dict[Kind, ScoreWarning]:
    samples = [sample(f"{place}.png", [label] * 40) for place, (label, _) in enumerate(rows)]
    answers = [answer([predicted] * 40) for _, predicted in rows]
    evaluation = evaluate(samples, predict_in_turn(*answers), ROADS, threshold=0.4)
    return {warning.kind: warning for warning in evaluation.warnings}


def draw_scenes(
    seed: int, count: int, *, side_px: int = 100, road: float = 0.5, light: float = 1.0
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Pictures of noise as coarse as scenes are, with a road of some share."""
    rng = np.random.default_rng(seed)
    scenes = []
    for number in range(count):
        image_HWC = cv2.resize(rng.integers(40, 160, (8, 8, 3)).astype(np.uint8), (side_px, side_px))
        label_HW = np.zeros((side_px, side_px), np.uint8)
        label_HW[: int(side_px * road)] = 1
        scenes.append((f"{seed}-{number}.jpg", (image_HWC * light).astype(np.uint8), label_HW))
    return scenes


def describe(scenes: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Traits:
    return join_traits([describe_picture(*scene, class_count=3) for scene in scenes], 3)


def check(
    scored: Sequence[tuple[str, np.ndarray, np.ndarray]], train: Sequence[tuple[str, np.ndarray, np.ndarray]]
) -> dict[Kind, ScoreWarning]:
    found = check_split("valid", describe(scored), describe(train), ROADS)
    return {warning.kind: warning for warning in found}


def test_enough_pictures_of_every_class_call_for_no_warning() -> None:
    assert evaluate_rows([([0, 1, 2] * 30, [0, 1, 2] * 30)] * 12) == {}


def test_few_pictures_and_wide_intervals_are_told_with_their_numbers() -> None:
    rows = [([0, 1, 2] * 30, [0, 1, 2] * 30), ([0, 1, 2] * 30, [0, 0, 0] * 30)] * 3
    found = evaluate_rows(rows)
    assert set(found) == {Kind.FEW_PICTURES, Kind.WIDE_INTERVAL}
    assert found[Kind.FEW_PICTURES].message.startswith("6 pictures were scored, and intervals of fewer than 10")
    assert found[Kind.FEW_PICTURES].values == {"pictures": 6}
    values = found[Kind.WIDE_INTERVAL].values
    assert values["high"] - values["low"] > 0.1
    assert f"from {values['low']:.3f} to {values['high']:.3f}" in found[Kind.WIDE_INTERVAL].message


def test_a_class_that_few_pictures_or_pixels_show_is_named() -> None:
    rows = [([0, 1] * 30, [0, 1] * 30)] * 10 + [([0, 2] * 30, [0, 2] * 30)] * 2
    found = evaluate_rows(rows)
    assert set(found) == {Kind.RARE_CLASS}
    assert found[Kind.RARE_CLASS].classes == ("car",)
    assert found[Kind.RARE_CLASS].message == (
        "car: 2,400 pixels in 2 pictures are too few to score it; label at least 5 pictures that show it"
    )


def test_a_class_that_is_predicted_but_never_labelled_is_told_as_it_counts_as_nothing() -> None:
    found = evaluate_rows([([0, 1] * 30, [0, 1] * 29 + [0, 2])] * 12)
    assert set(found) == {Kind.ABSENT_CLASS}
    assert "car: no pixel is labelled with it, but 480 are answered as served" in found[Kind.ABSENT_CLASS].message


def test_splits_that_are_alike_but_share_no_picture_call_for_no_warning() -> None:
    assert check(draw_scenes(1, 12), draw_scenes(2, 30)) == {}


def test_pictures_that_look_like_train_are_named() -> None:
    train = draw_scenes(2, 30)
    seen = [
        (f"again-{name}", cv2.resize(cv2.resize(image_HWC, (60, 60)), (100, 100)), label_HW)
        for name, image_HWC, label_HW in train[4:6]
    ]
    found = check([*draw_scenes(1, 10), *seen], train)
    assert set(found) == {Kind.SEEN_PICTURES}
    warning = found[Kind.SEEN_PICTURES]
    assert warning.pictures == ("again-2-4.jpg", "again-2-5.jpg")
    assert warning.message.startswith("2 of 12 pictures of valid look the same as pictures of train, such as again-2-4")
    assert warning.values == {"pictures": 2, "of": 12}


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"road": 0.05}, Kind.OTHER_CLASS_SHARES, "road has 5.0% of its pixels but 50.0% of train's"),
        ({"side_px": 200}, Kind.OTHER_SIZES, "pictures of valid are 200 pixels wide and high in the middle"),
        ({"light": 0.5}, Kind.OTHER_BRIGHTNESS, "pictures of valid are darker than those of train"),
    ],
)
def test_a_split_that_is_not_like_train_is_told(options: dict[str, float], kind: Kind, told: str) -> None:
    found = check(draw_scenes(1, 12, **options), draw_scenes(2, 30))
    assert set(found) == {kind}
    assert told in found[kind].message
    assert json.dumps(found[kind].as_json(), allow_nan=False)


def test_a_split_of_void_alone_has_no_class_shares_to_compare() -> None:
    void = [(name, image_HWC, np.full_like(label_HW, 255)) for name, image_HWC, label_HW in draw_scenes(1, 4)]
    assert check(void, draw_scenes(2, 5)) == {}


def test_without_train_pictures_nothing_is_compared() -> None:
    assert check(draw_scenes(1, 3), []) == {}


def test_divergence_is_0_for_equal_shares_and_1_for_those_with_nothing_in_common() -> None:
    assert measure_divergence([0.2, 0.8], [0.2, 0.8]) == 0
    assert measure_divergence([1, 0], [0, 1]) == 1
    assert measure_divergence([0.5, 0.5], [1, 0]) == pytest.approx(0.3113, abs=1e-4)
