from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.scenes import Answer

from atrous.core.class_map import ClassMap
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.sizes import BandScore, SizeScores, count_objects, score_sizes

ROADS = ClassMap(("background", "road", "car"))
ROAD, CAR, VOID = 1, 2, 255


def score(*pairs: tuple[np.ndarray, np.ndarray]) -> SizeScores:
    counts_FBK = sum(count_objects(label_HW, predicted_HW, class_count=3) for label_HW, predicted_HW in pairs)
    return score_sizes(counts_FBK, ROADS)


def blank() -> np.ndarray:
    """300x300, so that small is up to 300 pixels and medium up to 2700."""
    return np.zeros((300, 300), np.uint8)


def test_objects_are_counted_by_their_share_of_the_picture() -> None:
    label_HW = blank()
    label_HW[:10, :30] = CAR  # 300: the largest small one
    label_HW[20:27, :43] = CAR  # 301: the smallest medium one
    label_HW[100:200, 100:200] = ROAD  # 10,000: large
    sizes = score((label_HW, label_HW))
    assert [band.objects for band in sizes.bands] == [1, 1, 1]
    assert [band.label_pixels for band in sizes.bands] == [300, 301, 10_000]
    assert [band.recall for band in sizes.bands] == [1, 1, 1]
    road, car = sizes.classes
    assert [band.objects for band in road.bands] == [0, 0, 1]
    assert [band.objects for band in car.bands] == [1, 1, 0]


def test_recall_is_of_pixels_and_found_means_half_of_an_object() -> None:
    label_HW = blank()
    label_HW[:10, :10] = label_HW[20:30, :10] = CAR
    predicted_HW = blank()
    predicted_HW[:5, :10] = CAR  # half of the first
    predicted_HW[20:24, :10] = CAR  # less of the second
    predicted_HW[24:30, :10] = ROAD
    assert score((label_HW, predicted_HW)).bands[0] == BandScore(2, 1, 200, 90 / 200)


def test_corners_connect_and_classes_do_not() -> None:
    label_HW = blank()
    label_HW[0, 0] = label_HW[1, 1] = CAR
    label_HW[2, 2] = ROAD
    road, car = score((label_HW, label_HW)).classes
    assert (road.bands[0].objects, car.bands[0].objects) == (1, 1)


def test_void_is_no_object_and_parts_that_it_separates_are_two() -> None:
    label_HW = blank()
    label_HW[:10, :30] = CAR
    label_HW[:10, 10:20] = VOID
    assert score((label_HW, np.full_like(label_HW, CAR))).bands[0] == BandScore(2, 2, 200, 1.0)


def test_pictures_of_different_sizes_are_counted_by_share() -> None:
    small_HW, large_HW = np.zeros((30, 30), np.uint8), np.zeros((600, 600), np.uint8)
    small_HW[:2, :2] = CAR  # 4 of 900 pixels
    large_HW[:20, :20] = CAR  # 400 of 360,000
    sizes = score((small_HW, small_HW), (large_HW, large_HW))
    assert [band.objects for band in sizes.bands] == [1, 1, 0]


def test_a_picture_of_background_alone_has_no_objects() -> None:
    assert score((blank(), blank())).bands == (BandScore(0, 0, 0, None),) * 3


def test_counts_are_those_of_looking_at_each_object_alone() -> None:
    rng = np.random.default_rng(0)
    label_HW = np.kron(rng.integers(0, 3, (8, 8)), np.ones((5, 5))).astype(np.uint8)
    predicted_HW = np.where(rng.random(label_HW.shape) < 0.6, label_HW, 0).astype(np.uint8)
    objects = list_objects(label_HW)
    sizes = score((label_HW, predicted_HW))
    assert sum(band.objects for band in sizes.bands) == len(objects)
    for band, (low, high) in zip(sizes.bands, [(0, 1 / 300), (1 / 300, 0.03), (0.03, 1)], strict=True):
        of_band = [places for places in objects if low * 1600 < len(places) <= high * 1600]
        found = [sum(predicted_HW[place] == label_HW[place] for place in places) for places in of_band]
        assert band.objects == len(of_band)
        assert band.found_objects == sum(2 * hit >= len(places) for hit, places in zip(found, of_band, strict=True))
        if of_band:
            assert band.recall == pytest.approx(sum(found) / sum(map(len, of_band)))


def list_objects(label_HW: np.ndarray) -> list[list[tuple[int, int]]]:
    """Connected parts, found by walking from pixel to pixel."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(label_HW), strict=True)}
    objects = []
    while left:
        waiting, places = [left.pop()], []
        while waiting:
            y, x = waiting.pop()
            places.append((y, x))
            for place in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if place in left and label_HW[place] == label_HW[y, x]:
                    left.remove(place)
                    waiting.append(place)
        objects.append(places)
    return objects


def test_an_evaluation_scores_objects_as_served() -> None:
    label_HW = blank()
    label_HW[:10, :10] = CAR
    unsure = Answer(label_HW, np.full(label_HW.shape, 0.3, np.float32))
    samples = [("one.png", np.zeros((300, 300, 3), np.uint8), label_HW)]
    written = evaluate(samples, lambda _: unsure, ROADS, threshold=0.4).as_json()["sizes"]
    assert written["bands"][0] == {
        "name": "small", "up_to_share": 1 / 300, "objects": 1, "found_objects": 0, "label_pixels": 100, "recall": 0.0,
    }  # fmt: skip
    assert [of_class["name"] for of_class in written["classes"]] == ["road", "car"]
