"""What a million pictures cost, reckoned from kept results; fills the table of docs/explanation/scale.md.

usage: python -m benchmarks.cost [--price PRICE] [--use SHARE] [--results DIR] [--page FILE]

`model_core_ms` is what the stages of one answer take of cores: the pass and the pixels hold every core, the others one.
`loaded_core_ms` is cores divided by the answers per second of a server that has more callers than it can serve, as
`benchmarks.against` measured it, so the callers' own share is in it. Hours and prices come from that, or from the model
where nothing was measured under load.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.page import PLACE, RESULTS, ROOT, read_results, write_origin, write_table
from benchmarks.results import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.results import Row

PAGE = ROOT / "docs" / "explanation" / "scale.md"
# An example: what a core costs for an hour, and how much of it is used on average.
PRICE, USE = 0.04, 0.6
MILLION = 1_000_000
ON_EVERY_CORE = ("pass_ms", "pixels_ms")
ON_ONE_CORE = ("picture_ms", "prepare_ms", "png_ms", "json_ms")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page anew; give the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.cost", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--price", type=float, default=PRICE, help=f"of a core for an hour [default: {PRICE}]")
    parser.add_argument("--use", type=float, default=USE, help=f"share of paid cores in use [default: {USE}]")
    parser.add_argument("--results", type=Path, default=RESULTS, help="[default: those of the project]")
    parser.add_argument("--page", type=Path, default=PAGE, help="[default: docs/explanation/scale.md]")
    given = parser.parse_args(arguments)
    text = given.page.read_text(encoding="utf-8")
    filled = fill_page(text, read_results(given.results), price=given.price, use=given.use)
    given.page.write_text(filled, encoding="utf-8")
    print(given.page.name)
    return 0


def fill_page(text: str, results: Mapping[str, Result], *, price: float, use: float) -> str:
    """The page with the place between `<!-- result: cost -->` and `<!-- end -->` written anew."""
    table = "*Not measured.*"
    if "answer" in results:
        cost = reckon_costs(results["answer"], results.get("against"), price=price, use=use)
        table = f"{write_origin(cost)}\n\n{write_table(cost)}"
    return PLACE.sub(lambda place: f"{place[1]}\n{table}\n\n{place[3]}", text)


def reckon_costs(answer: Result, against: Result | None, *, price: float, use: float) -> Result:
    """Costs for each picture and precision that `benchmarks.answer` measured.

    Args:
        answer: stages of an answer.
        against: answers per second under load; None if that was not measured.
        price: of a core for an hour, in any currency.
        use: share of the paid cores that is in use, above 0, at most 1.
    """
    cores = answer.machine["cores"]
    loaded = read_loaded(against) if against else {}
    rows: list[Row] = []
    for row in answer.rows:
        model_ms = count_core_ms(row, cores)
        loaded_ms = loaded.get((row["photograph"], row["precision"]))
        hours = MILLION * (loaded_ms or model_ms) / 3_600_000
        rows.append(
            {
                "photograph": row["photograph"],
                "precision": row["precision"],
                "model_core_ms": round(model_ms, 1),
                "loaded_core_ms": loaded_ms and round(loaded_ms, 1),
                "core_hours_per_million": round(hours, 1),
                "price_per_million": round(hours * price / use, 2),
            }
        )
    return Result("cost", answer.day, answer.machine, {"price_per_core_hour": price, "use": use}, rows)


def count_core_ms(stages: Mapping[str, Any], cores: int) -> float:
    """What one answer takes of cores, by the times of its stages."""
    return cores * sum(stages[name] for name in ON_EVERY_CORE) + sum(stages[name] for name in ON_ONE_CORE)


def read_loaded(against: Result) -> dict[tuple[str, str], float]:
    """Core milliseconds of an answer under load, by photograph and precision of our own servers."""
    cores = against.machine["cores"]
    return {
        (row["photograph"], row["server"].removeprefix("atrous ")): 1000 * cores / row["rate_per_s"]
        for row in against.rows
        if row["server"].startswith("atrous ")
    }


if __name__ == "__main__":
    sys.exit(main())
