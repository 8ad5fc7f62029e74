"""What the benchmarks are asked for on the command line, and how they say what went wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.core.errors import AtrousError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def make_parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(prog=f"benchmarks.{name}", description=(doc or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    return parser


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """`--bundle`."""
    parser.add_argument("--bundle", type=Path, help="model folder [default: ATROUS_HOME's newest, or random weights]")


def add_images(parser: argparse.ArgumentParser) -> None:
    """`--image`."""
    parser.add_argument("--image", type=Path, nargs="+", default=[], help="pictures [default: drawn JPEGs]")


def add_engine(parser: argparse.ArgumentParser, *, precisions: Sequence[str]) -> None:
    """`--precision` and `--backend`."""
    parser.add_argument(
        "--precision",
        choices=("fp32", "int8", "auto"),
        nargs="+",
        default=list(precisions),
        help=f"weights, one or several to compare [default: {' '.join(precisions)}]",
    )
    parser.add_argument("--backend", default="auto", help="inference library [default: auto]")


def run_benchmark(measure: Callable[[argparse.Namespace, Path], None], given: argparse.Namespace) -> int:
    """Measure in a folder that is removed afterwards; give the exit status."""
    with tempfile.TemporaryDirectory(prefix="atrous-bench-") as scratch:
        try:
            measure(given, Path(scratch))
        except AtrousError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return 0
