from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from tests.evaluation.scenes import Answer

from atrous.core.class_map import ClassMap
from atrous.evaluation.label_issues import COLUMNS, IssueList, LabelIssue, find_issues, write_issues

CLASSES = ClassMap(("background", "road", "car"))
SIDE_PX = 200


def draw_truth(seed: int) -> np.ndarray:
    """A road below, and three cars on it."""
    rng = np.random.default_rng(seed)
    truth_HW = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    truth_HW[80:] = 1
    for column in (10, 80, 150):
        top = int(rng.integers(90, 150))
        truth_HW[top : top + 35, column : column + 35] = 2
    return truth_HW


def predict_well(truth_HW: np.ndarray, seed: int) -> Answer:
    """What a good model answers: every border two pixels off, and one place wrong that it is not sure of."""
    mask_HW = np.pad(truth_HW, ((2, 0), (2, 0)), mode="edge")[:SIDE_PX, :SIDE_PX]
    confidence_HW = np.full(truth_HW.shape, 0.97, np.float32)
    row = 5 + seed % 10
    mask_HW[row : row + 40, 100:140] = 1
    confidence_HW[row : row + 40, 100:140] = 0.6
    return Answer(mask_HW, confidence_HW)


def blank(label_HW: np.ndarray) -> np.ndarray:
    return np.zeros((*label_HW.shape, 3), np.uint8)


def list_issues(labels: dict[str, np.ndarray], truths: dict[str, np.ndarray], **limits: int) -> IssueList:
    issues = IssueList(len(CLASSES), **limits)
    for number, (name, label_HW) in enumerate(labels.items()):
        issues.add((name, blank(label_HW), label_HW), predict_well(truths[name], number))
    return issues


def test_planted_errors_are_on_top_by_their_weight_and_nothing_else_is_listed() -> None:
    truths = {f"{number}.png": draw_truth(number) for number in range(8)}
    labels = {name: truth_HW.copy() for name, truth_HW in truths.items()}
    labels["2.png"][labels["2.png"] == 1] = 0  # the road was forgotten
    labels["4.png"][10:70, 20:80] = 2  # a car where there is none
    cars_HW = labels["6.png"][:, :60]
    cars_HW[cars_HW == 2] = 1  # a car was forgotten
    found = list_issues(labels, truths).issues()
    assert [(one.picture, CLASSES.names[one.labelled], CLASSES.names[one.predicted]) for one in found] == [
        ("2.png", "background", "road"),
        ("4.png", "car", "background"),
        ("6.png", "road", "car"),
    ]
    assert all(one.mean_confidence == pytest.approx(0.97) for one in found)


def test_borders_that_are_a_little_off_and_unsure_mistakes_are_no_issues() -> None:
    truths = {f"{number}.png": draw_truth(number) for number in range(4)}
    assert list_issues(truths, truths).issues() == ()


def test_void_is_never_in_dispute() -> None:
    label_HW = np.full((50, 50), 255, np.uint8)
    assert (
        list(find_issues("a", label_HW, Answer(np.ones_like(label_HW), np.ones((50, 50), np.float32)), class_count=3))
        == []
    )


def test_an_issue_tells_its_region_in_pixels_of_the_picture() -> None:
    label_HW = np.zeros((100, 200), np.uint8)
    mask_HW = label_HW.copy()
    mask_HW[10:30, 40:90] = 1
    confidence_HW = np.full(label_HW.shape, 0.9, np.float32)
    (issue,) = find_issues("a.png", label_HW, Answer(mask_HW, confidence_HW), class_count=3)
    assert issue.box_xywh_px == (40, 10, 50, 20)
    assert (issue.labelled, issue.predicted, issue.area_px) == (0, 1, 1000)
    assert issue.weight == pytest.approx(0.9 * 1000 / 20_000)


def test_regions_of_other_classes_are_apart_even_if_they_touch() -> None:
    label_HW = np.zeros((100, 100), np.uint8)
    mask_HW = label_HW.copy()
    mask_HW[20:40, 20:40] = 1
    mask_HW[20:40, 40:60] = 2
    found = find_issues("a.png", label_HW, Answer(mask_HW, np.ones((100, 100), np.float32)), class_count=3)
    assert sorted((one.predicted, one.box_xywh_px) for one in found) == [(1, (20, 20, 20, 20)), (2, (40, 20, 20, 20))]


def test_only_the_weightiest_are_kept_and_shown() -> None:
    issues = IssueList(3, kept=3, shown=2)
    label_HW = np.zeros((100, 100), np.uint8)
    for side_px in (10, 40, 20, 50, 30):
        mask_HW = label_HW.copy()
        mask_HW[:side_px, :side_px] = 1
        issues.add((f"{side_px}.png", blank(label_HW), label_HW), Answer(mask_HW, np.ones((100, 100), np.float32)))
    assert [one.picture for one in issues.issues()] == ["50.png", "40.png", "30.png"]
    assert [crop.issue.picture for crop in issues.crops()] == ["50.png", "40.png"]


def test_a_crop_shows_the_region_with_its_surroundings_in_a_small_picture() -> None:
    label_HW = np.zeros((1000, 2000), np.uint8)
    mask_HW = label_HW.copy()
    mask_HW[300:700, 900:1300] = 1
    image_HWC = blank(label_HW)
    image_HWC[300:700, 900:1300] = 200
    issues = IssueList(3)
    issues.add(("a.png", image_HWC, label_HW), Answer(mask_HW, np.ones(label_HW.shape, np.float32)))
    (crop,) = issues.crops()
    assert max(crop.image_HWC.shape) <= 240
    assert crop.image_HWC.shape[:2] == crop.label_HW.shape == crop.predicted_HW.shape
    x, y, width, height = crop.box_xywh_px
    ys, xs = np.nonzero(crop.predicted_HW)
    assert (x, y, width, height) == pytest.approx((xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1), abs=1)
    assert x > 20


def test_the_table_names_classes_and_is_ranked_and_opens_safely_in_a_spreadsheet() -> None:
    issues = (
        LabelIssue("=1+1.png", (1, 2, 3, 4), 0, 2, 12, 0.95, 0.01),
        LabelIssue("b, c.png", (0, 0, 5, 5), 2, 1, 25, 0.9, 0.005),
    )
    rows = list(csv.reader(io.StringIO(write_issues(issues, CLASSES))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == ["1", "'=1+1.png", "1", "2", "3", "4", "background", "car", "12", "0.9500", "0.010000"]
    assert rows[2][:2] == ["2", "b, c.png"]
