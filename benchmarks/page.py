"""Fills the tables and draws the charts of a page from results that were kept.

usage: python -m benchmarks.page [--results DIR] [--page FILE]
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import FIGURES
from benchmarks.results import read_result, write_cell, write_heads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.results import Result

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "explanation" / "speed.md"
PLACE = re.compile(r"(<!-- result: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write page and charts anew; give the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of NAME.json [default: that of the project]"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="[default: docs/explanation/speed.md]")
    given = parser.parse_args(arguments)
    results = read_results(given.results)
    draw_figures(results, given.page.with_suffix(""))
    text = given.page.read_text(encoding="utf-8")
    given.page.write_text(fill_page(text, results, given.page.stem), encoding="utf-8")
    print(f"{given.page.name}: {', '.join(sorted(results)) or 'no results'}")
    return 0


def read_results(folder: Path) -> dict[str, Result]:
    """Results by the name of their benchmark; what was not run is not in it."""
    return {name: read_result(file) for name in FIGURES if (file := folder / f"{name}.json").is_file()}


def draw_figures(results: Mapping[str, Result], folder: Path) -> None:
    """Write the charts of all results, and leave none of what has no result any more."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figures in FIGURES.items():
        for figure in figures:
            file = folder / f"{figure.name}.svg"
            if name in results:
                file.write_text(figure.draw(results[name]), encoding="utf-8")
            else:
                file.unlink(missing_ok=True)


def fill_page(text: str, results: Mapping[str, Result], charts: str) -> str:
    """The page with every place between `<!-- result: NAME -->` and `<!-- end -->` written anew.

    Args:
        text: the page.
        results: by the name of their benchmark.
        charts: folder of the charts, as the page links to it.
    """

    def fill(place: re.Match[str]) -> str:
        return f"{place[1]}\n{describe_result(place['name'], results, charts)}\n\n{place[3]}"

    return PLACE.sub(fill, text)


def describe_result(name: str, results: Mapping[str, Result], charts: str) -> str:
    """Where it was measured, the charts and the table."""
    result = results.get(name)
    if result is None:
        return "*Not measured.*"
    images = [f"![{write_alt(figure.name)}]({charts}/{figure.name}.svg)" for figure in FIGURES[name]]
    return "\n\n".join([write_origin(result), *images, write_table(result)])


def write_origin(result: Result) -> str:
    """Day, machine and choices in one sentence."""
    facts = {**result.machine, **result.setting}
    return f"{result.day}; " + ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None) + "."


def write_table(result: Result) -> str:
    """The rows as a table of a page, numbers to the right."""
    names = list(dict.fromkeys(name for row in result.rows for name in row))
    is_number = [not isinstance(result.rows[0].get(name), str) for name in names]
    lines = [write_heads(names), ["---:" if number else "---" for number in is_number]]
    lines += [[write_cell(row.get(name)) for name in names] for row in result.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_alt(name: str) -> str:
    """What a chart is called where it is not seen."""
    return f"chart: {name.replace('-', ', ')}"


if __name__ == "__main__":
    sys.exit(main())
