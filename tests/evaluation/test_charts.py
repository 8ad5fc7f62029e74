from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from atrous.evaluation.calibration import count_right, measure_reliability
from atrous.evaluation.charts import draw_curve, draw_matrix, draw_range, draw_reliability


def read(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def read_points(line: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def find(root: ET.Element, style: str) -> list[ET.Element]:
    return [one for one in root.iter() if one.get("class") == style]


def test_a_curve_falls_where_its_figures_fall_and_marks_the_point_to_look_at() -> None:
    root = read(draw_curve("Loss <1>", [(1, 2.0), (2, 1.0), (4, 0.5)], axes=("epoch", "loss"), marked=(4, 0.5)))
    points = read_points(*find(root, "curve"))
    (x1, y1), (x2, y2), (x3, y3) = points
    assert y1 < y2 < y3  # SVG counts downwards
    assert x3 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)
    (dot,) = find(root, "dot")
    assert (float(dot.attrib["cx"]), float(dot.attrib["cy"])) == points[-1]
    assert root.attrib["aria-label"] == "Loss <1>. From 2 to 0.5 over 3 points."


def test_a_curve_of_one_point_is_seen() -> None:
    assert find(read(draw_curve("Loss", [(1, 2.0)], axes=("epoch", "loss"))), "dot")


def test_a_model_that_is_as_sure_as_it_should_be_lies_on_the_dashed_line() -> None:
    confidence_N = np.repeat([0.2, 0.5, 0.9], 100)
    is_right_N = np.concatenate([np.arange(100) < 20, np.arange(100) < 50, np.arange(100) < 90])
    root = read(draw_reliability("Trust", measure_reliability(count_right(confidence_N, is_right_N))))
    (x0, y0), (x1, y1) = read_points(*find(root, "ideal"))
    for x, y in read_points(*find(root, "curve")):
        assert (y - y0) / (y1 - y0) == pytest.approx((x - x0) / (x1 - x0), abs=0.005)
    assert "0.50: 0.50" in root.attrib["aria-label"]


def test_cells_of_the_matrix_are_shares_of_their_row_and_told_in_words() -> None:
    root = read(draw_matrix("Matrix", ["sky", "<b>"], np.array([[6, 2], [0, 0]])))
    titles = [title.text for title in root.iter("title")]
    assert titles == ["sky predicted as sky: 75.0 %, 6 pixels", "sky predicted as <b>: 25.0 %, 2 pixels"]
    assert [one.get("class") for one in root.iter("rect")] == ["hit", "miss", "rim"]
    assert {"75.0", "25.0", "<b>"} <= {text.text for text in root.iter("text")}


@pytest.mark.parametrize("count", [2, 30, 255])
def test_a_matrix_of_any_number_of_classes_stays_within_its_drawing(count: int) -> None:
    root = read(draw_matrix("Matrix", [f"class {i} " * 5 for i in range(count)], np.eye(count, dtype=np.int64)))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width == height < 1600
    cells = [one for one in root.iter("rect") if one.get("class") == "hit"]
    assert len(cells) == count
    assert all(float(one.attrib["x"]) + float(one.attrib["width"]) < width for one in cells)


def test_a_range_is_as_long_as_its_share_and_has_a_whisker_only_with_an_interval() -> None:
    root = read(draw_range(0.5, 0.25, 0.75))
    rail, bar = root.iter("rect")
    assert float(bar.attrib["width"]) == pytest.approx(float(rail.attrib["width"]) / 2)
    assert len(find(root, "whisker")) == 3
    assert not find(read(draw_range(0.5)), "whisker")
