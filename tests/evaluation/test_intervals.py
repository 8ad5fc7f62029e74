from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from tests.evaluation.scenes import answer, predict_in_turn, sample

from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidInputError
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.intervals import (
    Interval,
    Intervals,
    PairedIntervals,
    find_intervals,
    find_paired_intervals,
    write_interval,
)
from atrous.evaluation.picture_counts import PictureCounter, PictureCounts
from atrous.evaluation.scores import compute_scores

ROADS = ClassMap(("background", "road", "car"))


def draw_matrices(pictures: int, *, seed: int = 0, rare: bool = False) -> list[np.ndarray]:
    """Confusion matrices of pictures; with a class that only the first one shows."""
    rng = np.random.default_rng(seed)
    matrices = [np.diag(rng.integers(50, 200, 3)) + rng.integers(0, 40, (3, 3)) for _ in range(pictures)]
    if rare:
        for counts_KK in matrices[1:]:
            counts_KK[2] = counts_KK[:, 2] = 0
    return matrices


def count(matrices: list[np.ndarray]) -> PictureCounts:
    counter = PictureCounter(3)
    for counts_KK in matrices:
        counter.add(counts_KK)
    return counter.finish()


def find(counts: PictureCounts, **options: int) -> Intervals:
    intervals = find_intervals(counts, **options)
    assert intervals is not None
    return intervals


def find_paired(first: PictureCounts, second: PictureCounts) -> PairedIntervals:
    paired = find_paired_intervals(first, second)
    assert paired is not None
    return paired


@pytest.mark.parametrize("rare", [False, True])
def test_intervals_are_those_of_drawing_pictures_and_scoring_them_one_resample_at_a_time(rare: bool) -> None:
    matrices = draw_matrices(12, rare=rare)
    # The draws of the default generator, spelled out.
    drawn_RP = np.random.default_rng(7).integers(0, 12, (300, 12))
    scores = [compute_scores(sum(matrices[place] for place in places), ROADS) for places in drawn_RP]
    found = find(count(matrices), resamples=300, seed=7)
    expected = np.percentile([one.mean_iou for one in scores], [2.5, 97.5])
    assert found.mean_iou is not None
    assert found.mean_iou.as_json() == pytest.approx(list(expected))
    assert found.pixel_accuracy is not None
    expected = np.percentile([one.pixel_accuracy for one in scores], [2.5, 97.5])
    assert found.pixel_accuracy.as_json() == pytest.approx(list(expected))
    for class_id, interval in enumerate(found.classes):
        known = [one.classes[class_id].iou for one in scores if one.classes[class_id].iou is not None]
        assert interval is not None
        assert interval.as_json() == pytest.approx(list(np.percentile(known, [2.5, 97.5])))


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly_so() -> None:
    counts = count(draw_matrices(40))
    assert find(counts) == find(counts)
    one, other = find(counts).mean_iou, find(counts, seed=1).mean_iou
    assert one is not None
    assert other is not None
    assert one != other
    assert one.as_json() == pytest.approx(other.as_json(), abs=0.005)


def test_an_interval_covers_the_truth_in_about_95_of_100_samples() -> None:
    everything = count(draw_matrices(4000))
    truth = compute_scores(sum(draw_matrices(4000)), ROADS).mean_iou
    assert truth is not None
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        places = rng.integers(0, 4000, 40)
        part = PictureCounts(everything.found_PK[places], everything.label_PK[places], everything.predicted_PK[places])
        interval = find(part, resamples=400).mean_iou
        assert interval is not None
        covered += interval.low <= truth <= interval.high
    assert 178 <= covered <= 198


def test_a_class_that_is_nowhere_has_no_interval_and_void_pictures_do_no_harm() -> None:
    matrices = [
        np.diag([5, 5, 0]),
        np.diag([5, 1, 0]) + np.eye(3, k=1, dtype=int) * [[1], [0], [0]],
        np.zeros((3, 3), int),
    ]
    found = find(count(matrices))
    assert found.classes[2] is None
    assert found.mean_iou is not None
    assert found.pictures == 3


def test_leaving_background_out_gives_the_interval_of_the_other_classes() -> None:
    matrices = draw_matrices(20)
    for counts_KK in matrices:
        counts_KK[2] = counts_KK[:, 2] = 0
    found = find(count(matrices), first_class=1)
    assert found.mean_iou == found.classes[1]


def test_one_picture_has_no_interval() -> None:
    assert find_intervals(count(draw_matrices(1))) is None


def test_sums_of_pixels_are_exact_beyond_32_bits() -> None:
    matrices = [np.diag([3 * 2**40 + 1, 1, 1]), np.diag([3 * 2**40 + 1, 1, 1])]
    assert find(count(matrices)).mean_iou == Interval(1, 1)


def test_memory_does_not_grow_with_the_number_of_resamples() -> None:
    counts = count(draw_matrices(1000))
    tracemalloc.start()
    try:
        find(counts, resamples=8000)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # All draws at once would be 8000 times 1000 numbers of 8 bytes: 64 MB, thrice over.
    assert peak_bytes < 60e6


def test_a_paired_interval_is_narrower_than_what_two_single_ones_would_tell() -> None:
    matrices = draw_matrices(30)
    better = [counts_KK.copy() for counts_KK in matrices]
    for counts_KK in better:
        # Half of one mix-up is mended in each picture.
        mended = counts_KK[1, 2] // 2
        counts_KK[1, 2] -= mended
        counts_KK[1, 1] += mended
    first, second = count(matrices), count(better)
    paired, single = find_paired(first, second), find(second)
    assert paired.mean_iou is not None
    assert single.mean_iou is not None
    assert paired.mean_iou.low > 0
    assert paired.share_better == 1
    assert paired.mean_iou.width < single.mean_iou.width / 3


def test_a_model_does_not_differ_from_itself() -> None:
    counts = count(draw_matrices(10))
    paired = find_paired(counts, counts)
    assert paired.mean_iou == Interval(0, 0)
    assert paired.share_better == 0.5


def test_models_scored_on_other_labels_are_not_compared() -> None:
    with pytest.raises(InvalidInputError, match="different pictures; score both on the same split"):
        find_paired_intervals(count(draw_matrices(5)), count(draw_matrices(5, seed=1)))


def test_scores_carry_their_interval_into_json() -> None:
    samples = [sample(f"{number}.png", [[1, 1, 0, 0]]) for number in range(3)]
    answers = [answer([[1, 1, 0, 0]]), answer([[1, 0, 0, 0]]), answer([[1, 1, 0, 0]])]
    written = json.loads(json.dumps(evaluate(samples, predict_in_turn(*answers), ROADS, threshold=0.4).as_json()))
    interval = written["served"]["interval"]
    low, high = interval["mean_iou"]
    assert low < written["served"]["mean_iou"] < high == 1
    assert (interval["pictures"], interval["level"], interval["resamples"]) == (3, 0.95, 2000)
    assert interval["classes"][2] is None


def test_an_interval_is_written_as_people_read_it() -> None:
    assert write_interval(Interval(0.5412, 0.586)) == "[0.541, 0.586]"
    assert write_interval(None) == ""
