from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.evaluation.scenes import answer, predict_in_turn, sample

from atrous.core.class_map import ClassMap
from atrous.evaluation.evaluate import Evaluation, evaluate
from atrous.evaluation.report import About, Network, render_html, write_html, write_json
from atrous.evaluation.scores import RULE

if TYPE_CHECKING:
    from pathlib import Path

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
    page = render_html(evaluation, ABOUT, draw)
    for fact in ("streets/3", "acme/streets-3", "valid", "2026-05-04 09:30 UTC"):
        assert fact in page


def test_the_page_shows_mean_iou_both_ways_and_the_rule(evaluation: Evaluation) -> None:
    text = visible_text(render_html(evaluation, ABOUT, draw))
    # As served: background 8 of 12, road 12 of 16. Plain: background 4 of 12, road 12 of 20.
    assert "mIoU as served 70.8 %" in text
    assert "mIoU, plain winner 46.7 %" in text
    assert "below 0.4" in text
    assert RULE in text


def test_the_page_shows_the_networks_of_the_model(evaluation: Evaluation) -> None:
    networks = (Network("fp32", 0.5647, 17_863_704), Network("int8", None, 5_101_777))
    text = visible_text(render_html(evaluation, replace(ABOUT, networks=networks), draw))
    assert "fp32 56.5 17.9 MB int8 n/a 5.1 MB" in text
    alone = replace(ABOUT, networks=networks[:1], int8_reason="no network in 8 bits, as <it> failed")
    assert "no network in 8 bits, as <it> failed" in visible_text(render_html(evaluation, alone, draw))
    assert "Precisions" not in visible_text(render_html(evaluation, ABOUT, draw))


def test_a_class_that_is_absent_is_shown_as_not_applicable(evaluation: Evaluation) -> None:
    text = visible_text(render_html(evaluation, ABOUT, draw))
    assert '<b>car</b> & "van" n/a n/a n/a n/a 0.0 n/a' in text


def test_cells_of_the_matrix_are_shares_of_their_row(evaluation: Evaluation) -> None:
    page = render_html(evaluation, ABOUT, draw)
    assert re.search(r'<td class="hit[^"]*" style="--share: 1.000" title="8 pixels">100.0</td>', page)
    assert '<td class="miss" style="--share: 0.250" title="4 pixels">25.0</td>' in page


def test_names_are_escaped_everywhere(evaluation: Evaluation) -> None:
    page = render_html(evaluation, About("<i>v</i>/1", "<i>m</i>", "<i>s</i>", ABOUT.date), draw)
    assert "<b>" not in page.replace("<b>mIoU", "")
    assert "<i>" not in page.replace('<i style="width', "")
    assert 'title="&lt;b&gt;car&lt;/b&gt; &amp; &#34;van&#34;"' in page


def test_the_page_needs_no_script_and_nothing_from_elsewhere(evaluation: Evaluation) -> None:
    parser = Tags()
    parser.feed(render_html(evaluation, ABOUT, draw))
    assert {"script", "link", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in parser.tags)
    sources = [value for _, attributes in parser.tags for name, value in attributes if name in {"src", "href"}]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_each_example_shows_its_picture_label_and_prediction(evaluation: Evaluation) -> None:
    page = render_html(evaluation, ABOUT, draw)
    lowest, highest = page.index("Lowest mIoU"), page.index("Highest mIoU")
    assert lowest < page.index("<span>bad.jpg</span>") < highest < page.index("<span>good.jpg</span>")
    views = re.findall(r'alt="(\w+) of bad.jpg"', page)
    assert views == ["Picture", "Label", "Prediction"]


def test_void_is_grey_in_the_label_and_classes_are_as_drawn(evaluation: Evaluation) -> None:
    samples = [sample("half.jpg", [[1] * 64 + [255] * 64] * 64)]
    evaluation = evaluate(samples, predict_in_turn(answer([[1] * 128] * 64)), CLASSES, threshold=0.4)
    _, label_HWC, prediction_HWC = jpegs(render_html(evaluation, ABOUT, draw))
    void_HWC = label_HWC[:, 80:].astype(int)
    assert np.ptp(void_HWC, axis=2).max() < 12  # grey but for JPEG noise
    assert void_HWC.min() > 40
    for drawn_HWC in (label_HWC[:, :48], prediction_HWC):
        assert np.abs(drawn_HWC.astype(int) - (0, 0, 255)).max() < 12


def test_a_page_without_scored_pictures_has_no_picture_section() -> None:
    evaluation = evaluate([sample("void.jpg", [[255]])], predict_in_turn(answer([[0]])), CLASSES, threshold=0.4)
    page = render_html(evaluation, ABOUT, draw)
    assert "<h2>Pictures</h2>" not in page
    assert "mIoU as served n/a" in visible_text(page)


def test_files_are_written_whole_and_replace_older_ones(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("older", encoding="utf-8")
    write_json(tmp_path / "report.json", evaluation, ABOUT)
    write_html(tmp_path / "report.html", evaluation, ABOUT, draw)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["version"] == "streets/3"
    assert written["date"] == "2026-05-04T09:30:00+00:00"
    assert written["served"]["rule"] == RULE
    assert written["served"]["classes"][2]["name"] == CLASSES.names[2]
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


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
