from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from benchmarks.figures import FIGURES
from benchmarks.page import PAGE, RESULTS, fill_page, main, read_results
from benchmarks.results import describe_machine, make_result, read_result, save_result

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = "# Speed\n\n<!-- result: decode -->\nold\n<!-- end -->\n\nwords\n\n<!-- result: soak -->\n<!-- end -->\n"
ROWS = [
    {"classes": 12, "photograph": "1920x1080", "kernel_ms": 20.0, "plain_ms": 1234.5678, "gain": 61.7},
    {"classes": 150, "photograph": "1920x1080", "kernel_ms": 100.0, "plain_ms": None, "gain": None},
]
MACHINE = {"processor": "Example 9000", "cores": 2}


def keep_decode(folder: Path) -> None:
    save_result(make_result("decode", {"rounds": 5}, ROWS, MACHINE), folder / "decode.json")


def test_a_page_shows_table_chart_and_machine_of_what_was_measured(tmp_path: Path) -> None:
    keep_decode(tmp_path)
    page = tmp_path / "speed.md"
    page.write_text(TEMPLATE)
    assert main(["--results", str(tmp_path), "--page", str(page)]) == 0
    text = page.read_text()
    assert "| 12 | 1920x1080 | 20.0 | 1,235 | 61.7 |" in text
    assert "| 150 | 1920x1080 | 100 | - | - |" in text
    assert "processor Example 9000, cores 2, rounds 5." in text
    assert "](speed/decode.svg)" in text
    assert (tmp_path / "speed" / "decode.svg").read_text().startswith("<svg")
    assert "old" not in text
    assert "words" in text


def test_what_was_not_measured_says_so_and_keeps_no_chart(tmp_path: Path) -> None:
    page, stale = tmp_path / "speed.md", tmp_path / "speed" / "soak.svg"
    stale.parent.mkdir()
    stale.write_text("<svg/>")
    page.write_text(TEMPLATE)
    main(["--results", str(tmp_path), "--page", str(page)])
    assert page.read_text().count("*Not measured.*") == 2
    assert not stale.exists()


def test_writing_a_page_twice_changes_nothing(tmp_path: Path) -> None:
    keep_decode(tmp_path)
    once = fill_page(TEMPLATE, read_results(tmp_path), "speed")
    assert fill_page(once, read_results(tmp_path), "speed") == once


def test_a_result_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    result = make_result("decode", {"rounds": 5}, ROWS, MACHINE)
    save_result(result, tmp_path / "folder" / "decode.json")
    assert read_result(tmp_path / "folder" / "decode.json") == result


def test_a_machine_is_told_by_kind_not_by_name() -> None:
    told = describe_machine()
    assert told["cores"] >= 1
    assert socket.gethostname() not in {str(fact) for fact in told.values()}


def test_the_projects_page_and_charts_show_its_kept_results() -> None:
    results, text = read_results(RESULTS), PAGE.read_text(encoding="utf-8")
    assert fill_page(text, results, PAGE.stem) == text, "run `python -m benchmarks.page`"
    for name, result in results.items():
        for figure in FIGURES[name]:
            chart = PAGE.with_suffix("") / f"{figure.name}.svg"
            assert chart.read_text(encoding="utf-8") == figure.draw(result), "run `python -m benchmarks.page`"
    assert all(f"<!-- result: {name} -->" in text for name in FIGURES)
