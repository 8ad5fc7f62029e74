from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrous.core.class_map import ClassMap
from atrous.evaluation.boundaries import (
    BoundaryScores,
    count_boundaries,
    find_distance,
    no_boundaries,
    score_boundaries,
)

ROADS = ClassMap(("background", "road", "car"))
VOID = 255


def score(*pairs: tuple[np.ndarray, np.ndarray]) -> BoundaryScores:
    counts = no_boundaries(3)
    for label_HW, predicted_HW in pairs:
        counts.add(count_boundaries(label_HW, predicted_HW, class_count=3))
    return score_boundaries(counts, ROADS)


def halves(split_px: int, height: int = 240, width: int = 320) -> np.ndarray:
    """Background on the left, road on the right; 3 pixels are near in a picture of this size."""
    mask_HW = np.zeros((height, width), np.uint8)
    mask_HW[:, split_px:] = 1
    return mask_HW


@pytest.mark.parametrize(("height", "width", "distance_px"), [(240, 320, 3), (1080, 1920, 16), (10, 10, 1), (1, 1, 1)])
def test_near_is_a_share_of_the_diagonal(height: int, width: int, distance_px: int) -> None:
    assert find_distance(height, width) == distance_px


def test_a_boundary_within_the_tolerance_is_found_and_one_beyond_is_not() -> None:
    label_HW = halves(160)
    assert score((label_HW, halves(163))).mean_f1 == 1
    assert score((label_HW, halves(164))).mean_f1 == 0


def test_near_boundaries_only_pixels_there_count() -> None:
    label_HW = halves(160)
    # Wrong far away from the boundary, which costs nothing here, and a pixel's width at it.
    predicted_HW = halves(161)
    predicted_HW[:, :100] = 2
    background, road, car = score((label_HW, predicted_HW)).classes
    assert road.iou == pytest.approx(2 / 3)
    assert background.iou == pytest.approx(3 / 4)
    assert car.iou is None


def test_void_has_no_boundary_and_neither_has_what_is_predicted_beside_it() -> None:
    label_HW = halves(160)
    label_HW[:, 155:165] = VOID
    for split_px in (153, 160, 167):
        boundaries = score((label_HW, halves(split_px)))
        assert boundaries.mean_f1 is None
        assert boundaries.mean_iou is None
    # Further away from void a boundary is one that nobody labelled.
    assert score((label_HW, halves(140))).mean_f1 == 0


def test_a_boundary_at_void_is_found_by_a_prediction_inside_void() -> None:
    label_HW = halves(160)
    label_HW[:120, 160:] = VOID
    predicted_HW = halves(160)
    assert score((label_HW, predicted_HW)).classes[1].recall == 1
    shifted_HW = halves(162)
    assert score((label_HW, shifted_HW)).classes[1].recall == 1


def test_a_class_that_is_only_predicted_counts_as_nothing_found() -> None:
    label_HW = halves(160)
    predicted_HW = label_HW.copy()
    predicted_HW[100:140, 20:60] = 2
    background, _, car = score((label_HW, predicted_HW)).classes
    assert (car.precision, car.recall, car.f1) == (0.0, None, 0.0)
    assert background.recall == 1
    assert background.precision is not None
    assert background.precision < 1


def test_one_class_everywhere_has_no_boundaries() -> None:
    blank_HW = np.zeros((50, 50), np.uint8)
    boundaries = score((blank_HW, blank_HW))
    assert (boundaries.mean_iou, boundaries.mean_f1) == (None, None)
    assert json.dumps(boundaries.as_json(), allow_nan=False)


def test_pictures_add_up() -> None:
    pairs = [(halves(160), halves(162)), (halves(100), halves(140))]
    both, one = score(*pairs), score(pairs[0])
    # The same number of boundary pixels in each, found in the first alone.
    assert both.classes[1].f1 == pytest.approx(one.classes[1].f1 / 2 if one.classes[1].f1 else None)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_are_those_of_measuring_every_pair_of_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(5, 20)), int(rng.integers(180, 330))
    label_HW, predicted_HW = draw_blocks(rng, shape, [0, 1, 2, VOID]), draw_blocks(rng, shape, [0, 1, 2])
    counts = count_boundaries(label_HW, predicted_HW, class_count=3)
    near_KK, counts_FK = count_plainly(label_HW, predicted_HW)
    assert counts.near_KK.tolist() == near_KK.tolist()
    assert counts.counts_FK.tolist() == counts_FK.tolist()


def draw_blocks(rng: np.random.Generator, shape: tuple[int, int], ids: list[int]) -> np.ndarray:
    blocks = rng.choice(ids, (shape[0] // 4 + 1, shape[1] // 11 + 1))
    return np.kron(blocks, np.ones((4, 11)))[: shape[0], : shape[1]].astype(np.uint8)


def count_plainly(label_HW: np.ndarray, predicted_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance_px = max(1, math.floor(0.0075 * math.hypot(*label_HW.shape)))
    labelled, predicted = list_edges(label_HW), list_edges(predicted_HW)
    void = np.argwhere(label_HW == VOID)
    everywhere = np.array([place for of_class in labelled for place in of_class]).reshape(-1, 2)
    near_KK, counts_FK = np.zeros((3, 3), int), np.zeros((4, 3), int)
    for place in np.argwhere(label_HW != VOID):
        if is_near(place, everywhere, distance_px - 1):
            near_KK[label_HW[tuple(place)], predicted_HW[tuple(place)]] += 1
    for class_id in range(3):
        judged = [place for place in predicted[class_id] if not is_near(place, void, distance_px)]
        counts_FK[:, class_id] = (
            len(labelled[class_id]),
            sum(is_near(place, predicted[class_id], distance_px) for place in labelled[class_id]),
            len(judged),
            sum(is_near(place, labelled[class_id], distance_px) for place in judged),
        )
    return near_KK, counts_FK


def list_edges(mask_HW: np.ndarray) -> list[np.ndarray]:
    """By class, its pixels with a neighbour of another class that is not void."""
    edges: list[list[tuple[int, int]]] = [[], [], []]
    height, width = mask_HW.shape
    for y, x in zip(*np.nonzero(mask_HW != VOID), strict=True):
        beside = [(y + dy, x + dx) for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        inside = [mask_HW[place] for place in beside if 0 <= place[0] < height and 0 <= place[1] < width]
        if any(other not in {VOID, mask_HW[y, x]} for other in inside):
            edges[mask_HW[y, x]].append((y, x))
    return [np.array(of_class).reshape(-1, 2) for of_class in edges]


def is_near(place: np.ndarray, others: np.ndarray, distance_px: float) -> bool:
    return bool(len(others)) and bool((((others - place) ** 2).sum(axis=1) <= distance_px**2).any())
