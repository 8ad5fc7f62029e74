from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.evaluation.scenes import Answer, answer, predict_in_turn, sample
from tests.fakes.bundles import make_bundle

from atrous.bundle.manifest import read_manifest
from atrous.core.class_map import ClassMap
from atrous.evaluation.about import About, Epoch, Network, Speed, read_epochs
from atrous.evaluation.comparison import compare
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.label_issues import IssueList
from atrous.evaluation.page import render_page
from atrous.evaluation.report import Report, report_json, write_report
from atrous.evaluation.scores import RULE

if TYPE_CHECKING:
    from atrous.evaluation.evaluation import Evaluation

CLASSES = ClassMap(("background", "road", '<b>car</b> & "van"'))
ABOUT = About(version="streets/3", model="acme/streets-3", split="valid", date=datetime(2026, 5, 4, 9, 30, tzinfo=UTC))


def draw(image_HWC: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    """Red where there is a road, the picture elsewhere."""
    drawn_HWC = image_HWC.copy()
    drawn_HWC[mask_HW == 1] = (0, 0, 255)
    return drawn_HWC


@pytest.fixture
def evaluation() -> Evaluation:
    samples = [sample("good.jpg", [[1, 1, 0, 0]] * 4), sample("bad.jpg", [[1, 1, 255, 255]] * 4)]
    predict = predict_in_turn(answer([[1, 1, 1, 0]] * 4, [[0.9, 0.9, 0.2, 0.9]] * 4), answer([[0, 1, 0, 0]] * 4))
    return evaluate(samples, predict, CLASSES, threshold=0.4, example_count=1)


def test_the_page_says_what_was_evaluated(evaluation: Evaluation) -> None:
    page = render_page(evaluation, ABOUT, draw)
    for fact in ("streets/3", "acme/streets-3", "valid", "2026-05-04 09:30 UTC"):
        assert fact in page


def test_the_page_shows_mean_iou_both_ways_and_the_rule(evaluation: Evaluation) -> None:
    text = visible_text(render_page(evaluation, ABOUT, draw))
    # As served: background 8 of 12, road 12 of 16. Plain: background 4 of 12, road 12 of 20.
    assert "mIoU as served 70.8 %" in text
    assert "mIoU, plain winner 46.7 %" in text
    assert "below 0.4" in text
    assert RULE in text


def test_the_page_shows_the_intervals_of_the_scores(evaluation: Evaluation) -> None:
    spans = evaluation.served.intervals
    assert spans is not None
    assert spans.mean_iou is not None
    text = visible_text(render_page(evaluation, ABOUT, draw))
    told = f"[{100 * spans.mean_iou.low:.1f}, {100 * spans.mean_iou.high:.1f}]"
    assert f"mIoU as served 70.8 % {told}" in text
    assert f"most likely be {100 * spans.mean_iou.low:.1f} to {100 * spans.mean_iou.high:.1f} %" in text


def test_the_page_warns_before_the_numbers_are_told_apart(evaluation: Evaluation) -> None:
    assert evaluation.warnings
    page = render_page(evaluation, ABOUT, draw)
    text = visible_text(page)
    assert all(warning.message in text for warning in evaluation.warnings)
    assert page.index("Before you trust") < page.index("<h2>Classes</h2>")


def test_the_page_shows_the_networks_of_the_model(evaluation: Evaluation) -> None:
    networks = (Network("fp32", 0.5647, 17_863_704), Network("int8", None, 5_101_777))
    text = visible_text(render_page(evaluation, replace(ABOUT, networks=networks), draw))
    assert "fp32 56.5 17.9 MB int8 n/a 5.1 MB" in text
    alone = replace(ABOUT, networks=networks[:1], int8_reason="no network in 8 bits, as <it> failed")
    assert "no network in 8 bits, as <it> failed" in visible_text(render_page(evaluation, alone, draw))
    assert "Precisions" not in visible_text(render_page(evaluation, ABOUT, draw))


def test_the_page_tells_how_quick_each_network_is_and_where(evaluation: Evaluation) -> None:
    networks = (Network("fp32", 0.5, 1_000_000), Network("int8", 0.5, 250_000))
    speeds = (Speed("fp32", "onnx", 76.21, 20, "a toaster"),)
    text = visible_text(render_page(evaluation, replace(ABOUT, networks=networks, speeds=speeds), draw))
    assert "fp32 50.0 1.0 MB 76.2 ms onnx int8 50.0 0.2 MB n/a" in text
    assert "on a toaster" in text


def test_the_page_draws_the_learning_curves_with_the_best_epoch(evaluation: Evaluation) -> None:
    epochs = (Epoch(1, 1.2, None), Epoch(2, 0.8, 0.4), Epoch(3, 0.6, 0.6), Epoch(4, 0.5, 0.55))
    page = render_page(evaluation, replace(ABOUT, epochs=epochs), draw)
    assert "Loss by epoch. From 1.2 to 0.5 over 4 points." in page
    assert "mIoU on valid by epoch. From 0.4 to 0.55 over 3 points." in page
    assert "Learning curves" not in render_page(evaluation, ABOUT, draw)


def test_epochs_are_read_from_what_a_training_recorded() -> None:
    told = [
        {"epoch": 1, "loss": 2, "miou": None, "seconds": 3.0},
        {"epoch": 2},
        {"epoch": 3, "loss": 0.5, "miou": 0.25},
    ]
    assert read_epochs(told) == (Epoch(1, 2.0, None), Epoch(3, 0.5, 0.25))


def test_the_page_shows_what_made_the_model(evaluation: Evaluation, tmp_path: Path) -> None:
    manifest = read_manifest(make_bundle(tmp_path))
    manifest = replace(manifest, recipe={"epochs": 40, "<loss>": {"dice": 0.5}}, software={"torch": "2.1"})
    text = visible_text(render_page(evaluation, replace(ABOUT, manifest=manifest), draw))
    assert '<loss> {"dice": 0.5}' in text
    assert "epochs 40" in text
    assert "torch 2.1" in text
    assert all(digest in text for digest in manifest.sha256.values())


def test_the_page_shows_trust_sizes_and_boundaries(evaluation: Evaluation) -> None:
    text = visible_text(render_page(evaluation, ABOUT, draw))
    assert f"expected calibration error {100 * (evaluation.calibration.before.ece or 0):.1f} %" in text
    assert "small 0 n/a n/a 0" in text
    assert "large 2 100.0 75.0 16" in text
    assert f"the mean boundary F1 is {100 * (evaluation.boundaries.mean_f1 or 0):.1f} %" in text


def test_a_class_that_is_absent_is_shown_as_not_applicable(evaluation: Evaluation) -> None:
    text = visible_text(render_page(evaluation, ABOUT, draw))
    assert '<b>car</b> & "van" n/a n/a n/a n/a 0 0.0 n/a' in text


def test_the_matrix_is_drawn_and_its_largest_mix_ups_are_told(evaluation: Evaluation) -> None:
    page = render_page(evaluation, ABOUT, draw)
    assert "<title>background predicted as background: 100.0 %, 8 pixels</title>" in page
    assert "road taken for background: 25.0 % of its pixels (4)" in visible_text(page)


def test_labels_in_doubt_are_shown_with_their_region(evaluation: Evaluation) -> None:
    label_HW, mask_HW = np.zeros((2, 64, 64), np.uint8)
    mask_HW[8:40, 8:40] = 1
    issues = IssueList(3)
    issues.add(("odd.jpg", np.zeros((64, 64, 3), np.uint8), label_HW), Answer(mask_HW, np.ones((64, 64), np.float32)))
    page = render_page(evaluation, ABOUT, draw, issues=issues)
    text = visible_text(page)
    assert "1. odd.jpg labelled background, predicted road · 1,024 pixels at 8, 8 100.0 %" in text
    assert 'alt="Label of odd.jpg, doubt 1"' in page
    assert "nowhere at least 80 % sure" in visible_text(render_page(evaluation, ABOUT, draw, issues=IssueList(3)))
    assert "Labels in doubt" not in visible_text(render_page(evaluation, ABOUT, draw))


def test_a_comparison_shows_both_scores_and_the_pictures_that_differ_most() -> None:
    samples = [sample(f"{number}.jpg", [[1, 1, 0, 0]] * 4) for number in range(3)]
    worse = predict_in_turn(answer([[0, 0, 0, 0]] * 4), *[answer([[1, 0, 0, 0]] * 4)] * 2)
    comparison = compare(samples, worse, lambda _: answer([[1, 1, 0, 0]] * 4), CLASSES, threshold=0.4, shown_count=1)
    about = replace(ABOUT, against="acme/other", against_version="streets/2")
    page = render_page(comparison.second, about, draw, comparison=comparison)
    text = visible_text(page)
    assert "This model is clearly better than acme/other: by 53.3 points of mIoU" in text
    assert "mIoU 46.7 100.0 +53.3" in text
    assert "It was trained on streets/2" in text
    assert "0.jpg 50.0 % answered differently, mIoU 25.0 against 100.0 %" in text
    assert re.findall(r'alt="([\w ]+) of 0.jpg"', page)[:3] == ["Label", "Other model", "This model"]
    told = report_json(Report(about, CLASSES, comparison.second, IssueList(3), comparison))["comparison"]
    assert told["served"]["mean_iou"] == pytest.approx(0.5333, abs=1e-4)
    assert "second" not in told


def test_names_are_escaped_everywhere(evaluation: Evaluation) -> None:
    page = render_page(evaluation, About("<i>v</i>/1", "<i>m</i>", "<i>s</i>", ABOUT.date), draw)
    assert "<b>" not in page.replace("<b>mIoU", "")
    assert "<i>" not in page
    assert 'title="&lt;b&gt;car&lt;/b&gt; &amp; &#34;van&#34;"' in page


def test_the_page_needs_no_script_and_nothing_from_elsewhere(evaluation: Evaluation) -> None:
    parser = Tags()
    parser.feed(render_page(evaluation, ABOUT, draw))
    assert {"script", "link", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in parser.tags)
    sources = [value for _, attributes in parser.tags for name, value in attributes if name in {"src", "href"}]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_each_example_shows_its_picture_label_and_prediction(evaluation: Evaluation) -> None:
    page = render_page(evaluation, ABOUT, draw)
    lowest, highest = page.index("Lowest mIoU"), page.index("Highest mIoU")
    assert lowest < page.index("<span>bad.jpg</span>") < highest < page.index("<span>good.jpg</span>")
    views = re.findall(r'alt="(\w+) of bad.jpg"', page)
    assert views == ["Picture", "Label", "Prediction", "Errors"]


def test_void_is_grey_in_the_label_and_classes_are_as_drawn(evaluation: Evaluation) -> None:
    samples = [sample("half.jpg", [[1] * 64 + [255] * 64] * 64)]
    evaluation = evaluate(samples, predict_in_turn(answer([[1] * 128] * 64)), CLASSES, threshold=0.4)
    _, label_HWC, prediction_HWC, errors_HWC = jpegs(render_page(evaluation, ABOUT, draw))
    void_HWC = label_HWC[:, 80:].astype(int)
    assert np.ptp(void_HWC, axis=2).max() < 12  # grey but for JPEG noise
    assert void_HWC.min() > 40
    for drawn_HWC in (label_HWC[:, :48], prediction_HWC):
        assert np.abs(drawn_HWC.astype(int) - (0, 0, 255)).max() < 16
    assert np.ptp(errors_HWC, axis=2).max() < 12  # nothing is wrong


def test_wrong_pixels_are_red_in_the_errors_and_void_is_not() -> None:
    samples = [sample("half.jpg", [[1] * 32 + [0] * 32 + [255] * 64] * 64)]
    evaluation = evaluate(samples, predict_in_turn(answer([[1] * 128] * 64)), CLASSES, threshold=0.4)
    errors_HWC = jpegs(render_page(evaluation, ABOUT, draw))[3].astype(int)
    redness_HW = errors_HWC[:, :, 2] - errors_HWC[:, :, 0]
    assert redness_HW[:, 36:60].min() > 120
    assert redness_HW[:, :28].max() < 40
    assert redness_HW[:, 70:].max() < 40


def test_typical_pictures_are_shown_between_the_worst_and_the_best() -> None:
    samples = [sample(f"{right}.jpg", [[1] * 10]) for right in (5, 9, 1, 7, 3)]
    answers = [answer([[1] * right + [0] * (10 - right)]) for right in (5, 9, 1, 7, 3)]
    evaluation = evaluate(samples, predict_in_turn(*answers), CLASSES, threshold=0.4, example_count=1)
    page = render_page(evaluation, ABOUT, draw)
    assert re.findall(r"<span>(\d).jpg</span>", page) == ["1", "5", "9"]


def test_a_page_without_scored_pictures_has_no_picture_section() -> None:
    evaluation = evaluate([sample("void.jpg", [[255]])], predict_in_turn(answer([[0]])), CLASSES, threshold=0.4)
    page = render_page(evaluation, ABOUT, draw)
    assert "<h2>Pictures</h2>" not in page
    assert "mIoU as served n/a" in visible_text(page)


def test_every_key_of_the_json_is_in_the_reference(evaluation: Evaluation) -> None:
    comparison = compare([sample("a", [[1]])], *[lambda _: answer([[1]])] * 2, CLASSES, threshold=0.4)
    told = report_json(Report(ABOUT, CLASSES, evaluation, IssueList(3), comparison))
    page = (Path(__file__).parents[2] / "docs" / "reference" / "report.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`(?:\w+\.)?(\w+)`", page))
    parts = [told, told["served"], *(told[key] for key in ("sizes", "boundaries", "calibration", "comparison"))]
    parts += [
        told["served"]["classes"][0],
        told["comparison"]["served"],
        told["warnings"][0],
        told["sizes"]["bands"][0],
    ]
    assert not {key for part in parts for key in part} - described


def test_files_are_written_whole_and_replace_older_ones(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("older", encoding="utf-8")
    files = write_report(tmp_path, Report(ABOUT, CLASSES, evaluation, IssueList(3)), draw, draw)
    assert [file.name for file in files] == ["report.html", "report.json", "label_issues.csv"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["version"] == "streets/3"
    assert written["date"] == "2026-05-04T09:30:00+00:00"
    assert written["made_by"] is None
    assert written["served"]["rule"] == RULE
    assert written["served"]["classes"][2]["name"] == CLASSES.names[2]
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_with_all_the_pictures_that_it_ever_shows_can_be_sent_by_mail() -> None:
    rng = np.random.default_rng(0)
    # As hard to pack as a photo: coarse noise.
    image_HWC = cv2.resize(rng.integers(0, 256, (120, 160, 3), np.uint8), (520, 390))
    label_HW = cv2.resize(rng.integers(0, 3, (6, 8), np.uint8), (520, 390), interpolation=cv2.INTER_NEAREST)
    samples = [(f"{number}.jpg", image_HWC, label_HW) for number in range(9)]
    issues = IssueList(3)
    confidence_HW = np.ones(label_HW.shape, np.float32)
    evaluation = evaluate(
        samples, lambda _: Answer((label_HW + 1) % 3, confidence_HW), CLASSES, threshold=0.4, on_answer=issues.add
    )
    # Equal scores leave the same ones worst and best.
    assert len(evaluation.worst) + len(evaluation.typical) == 6
    assert len(issues.crops()) == 12
    assert len(render_page(evaluation, ABOUT, draw, issues=issues)) < 3_000_000


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str]]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def visible_text(page: str) -> str:
    parser = Tags()
    parser.feed(page)
    return " ".join(parser.words)


def jpegs(page: str) -> list[np.ndarray]:
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    ]
