"""Costs are reckoned from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.cost import PAGE, PRICE, USE, fill_page, main, reckon_costs
from benchmarks.page import RESULTS, read_results
from benchmarks.results import Result, save_result

if TYPE_CHECKING:
    from pathlib import Path

STAGES = {"picture_ms": 4.0, "prepare_ms": 1.0, "pass_ms": 10.0, "pixels_ms": 5.0, "png_ms": 2.0, "json_ms": 1.0}
PLACE = "before\n<!-- result: cost -->\n<!-- end -->\nafter\n"


def make_answer() -> Result:
    row = {"photograph": "960x720", "precision": "int8", "backend": "onnx", **STAGES}
    return Result("answer", "2026-01-31", {"cores": 4}, {}, [row])


def make_against(rate_per_s: float) -> Result:
    rows: list[dict[str, Any]] = [
        {"photograph": "960x720", "server": "atrous int8", "rate_per_s": rate_per_s},
        {"photograph": "960x720", "server": "peer", "rate_per_s": 1.0},
    ]
    return Result("against", "2026-01-31", {"cores": 4}, {}, rows)


def test_stages_on_every_core_count_for_each_of_them() -> None:
    (row,) = reckon_costs(make_answer(), None, price=1, use=1).rows
    assert row["model_core_ms"] == pytest.approx(4 * (10 + 5) + 4 + 1 + 2 + 1)
    assert row["loaded_core_ms"] is None


def test_what_was_measured_under_load_counts_before_the_model() -> None:
    # 40 answers a second of 4 cores: a tenth of a core second each.
    (row,) = reckon_costs(make_answer(), make_against(40), price=0.09, use=0.5).rows
    assert row["loaded_core_ms"] == pytest.approx(100)
    assert row["core_hours_per_million"] == pytest.approx(100_000 / 3600, abs=0.05)
    assert row["price_per_million"] == pytest.approx(100_000 / 3600 * 0.09 / 0.5, abs=0.005)


def test_a_page_without_results_says_so() -> None:
    assert "*Not measured.*" in fill_page(PLACE, {}, price=1, use=1)


def test_the_command_writes_the_page_it_is_given(tmp_path: Path) -> None:
    save_result(make_answer(), tmp_path / "answer.json")
    (tmp_path / "page.md").write_text(PLACE)
    main(["--results", str(tmp_path), "--page", str(tmp_path / "page.md"), "--price", "0.5"])
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("before\n")
    assert "price_per_core_hour 0.5" in text
    assert "| 960x720 | int8 | 68.0 | - | 18.9 |" in text


def test_the_projects_page_shows_its_kept_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert fill_page(text, read_results(RESULTS), price=PRICE, use=USE) == text, "run `python -m benchmarks.cost`"
