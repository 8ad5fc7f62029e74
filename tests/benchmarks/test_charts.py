from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from benchmarks.charts import Chart, Group, draw_bars, draw_lines, draw_stacks

from atrous.evaluation.svg import pick_ticks

CHART = Chart(
    "Answers <& more>",
    "milliseconds",
    ("here", "there"),
    (Group("small", (10.0, 30.0)), Group("large", (20.0, None))),
    "size",
)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("top", [0.0004, 0.7, 1.0, 6.0, 47.0, 100.0, 5282.0])
def test_ticks_are_few_and_round_and_reach_the_greatest_value(top: float) -> None:
    ticks = pick_ticks(top)
    assert ticks[0] == 0
    assert ticks[-2] < top <= ticks[-1] * (1 + 1e-9)
    assert 3 <= len(ticks) <= 8


def test_nothing_measured_still_has_an_axis() -> None:
    assert pick_ticks(0) == [0.0, 1.0]


def test_bars_are_as_long_as_their_values_and_a_missing_one_says_so() -> None:
    root = ET.fromstring(draw_bars(CHART))
    widths = read_widths(root)
    assert widths[1] / widths[0] == pytest.approx(3, rel=0.01)
    assert widths[2] / widths[0] == pytest.approx(2, rel=0.01)
    assert len(widths) == 3
    assert "not measured" in read_texts(root)


def test_stacked_parts_follow_each_other_and_their_sum_is_told() -> None:
    root = ET.fromstring(draw_stacks(CHART))
    first, second = [bar for bar in root.iter(f"{SVG}rect") if bar.get("height") == "16"][:2]
    assert float(first.attrib["x"]) + float(first.attrib["width"]) == pytest.approx(float(second.attrib["x"]), abs=0.2)
    assert "40.0" in read_texts(root)


def test_lines_pass_over_what_was_not_measured() -> None:
    here, there = ET.fromstring(draw_lines(CHART)).iter(f"{SVG}polyline")
    assert len(here.attrib["points"].split()) == 2
    assert len(there.attrib["points"].split()) == 1


@pytest.mark.parametrize("draw", [draw_bars, draw_stacks, draw_lines])
def test_a_chart_tells_title_series_and_unit_within_its_frame(draw) -> None:
    root = ET.fromstring(draw(CHART))
    texts = read_texts(root)
    assert {"Answers <& more>", "here", "there"} <= set(texts)
    assert any(text.startswith("milliseconds") for text in texts)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    places = [(float(text.attrib["x"]), float(text.attrib["y"])) for text in root.iter(f"{SVG}text")]
    assert all(0 < x < width and 0 < y < height for x, y in places)


def read_widths(root: ET.Element) -> list[float]:
    return [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect") if bar.get("height") == "16"]


def read_texts(root: ET.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]
