"""Runs every benchmark on one model and writes the page of results.

usage: python -m benchmarks.everything --bundle DIR [--image FILE ...] [--url NAME=URL ...] [--results DIR]

One after the other, each in a process of its own; about 40 minutes on two cores, of which the soak is most.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.bundle.bundle import open_bundle
from benchmarks.page import PAGE, RESULTS
from benchmarks.page import main as write_page

if TYPE_CHECKING:
    from collections.abc import Sequence

# Many clients before a short queue, so that some are refused.
FULL_QUEUE = ["--clients", "64", "--max-waiting", "16"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all that can be run; give the exit status of the first that failed."""
    parser = argparse.ArgumentParser(prog="benchmarks.everything", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="model folder")
    parser.add_argument("--image", type=Path, nargs="+", default=[], help="pictures, the largest last [default: drawn]")
    parser.add_argument("--url", action="append", default=[], metavar="NAME=URL", help="peers, running")
    parser.add_argument("--precision", nargs="+", help="[default: all that the model has]")
    parser.add_argument("--soak", type=int, default=10_000, help="requests; 0 leaves it out [default: 10000]")
    parser.add_argument("--only", nargs="+", help="names of benchmarks [default: all]")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of NAME.json [default: that of the project]"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="[default: docs/explanation/speed.md]")
    given = parser.parse_args(arguments)
    for name, command in list_commands(given).items():
        if given.only is None or name in given.only:
            print(f"== {name}", flush=True)
            target = ["--json", str(given.results / f"{name}.json")]
            status = subprocess.run([sys.executable, "-m", *command, *target], check=False).returncode
            if status:
                return status
    return write_page(["--results", str(given.results), "--page", str(given.page)])


def list_commands(given: argparse.Namespace) -> dict[str, list[str]]:
    """What is run, by the name of its result."""
    bundle = ["--bundle", str(given.bundle)]
    precisions = given.precision or find_precisions(given.bundle)
    precision = ["--precision", *precisions]
    first, last, all_images = [["--image", *map(str, some)] if some else [] for some in _choose(given.image)]
    urls = [part for url in given.url for part in ("--url", url)]
    commands = {
        "decode": ["benchmarks.decode"],
        "answer": ["benchmarks.answer", *bundle, *precision, *all_images],
        "memory": ["benchmarks.memory", *bundle, *last],
        "load": ["benchmarks.load", *bundle, *precision, *first],
    }
    commands["refusals"] = [*commands["load"], *FULL_QUEUE]
    if len(precisions) + len(given.url) > 1:
        commands["against"] = ["benchmarks.against", *bundle, *precision, *urls, *all_images]
    if given.soak:
        commands["soak"] = [
            "benchmarks.load",
            *bundle,
            "--precision",
            precisions[-1],
            *first,
            "--soak",
            str(given.soak),
        ]
    return commands


def find_precisions(bundle: Path) -> list[str]:
    """The weights that a model folder holds.

    Raises:
        InvalidBundleError: if it is none.
    """
    return ["fp32", "int8"] if open_bundle(bundle).weights_int8_onnx else ["fp32"]


def _choose(images: Sequence[Path]) -> tuple[Sequence[Path], Sequence[Path], Sequence[Path]]:
    return images[:1], images[-1:], images


if __name__ == "__main__":
    sys.exit(main())
