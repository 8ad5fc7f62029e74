"""What a server takes before it answers anything: memory, time to start, time of the first answer.

usage: python -m benchmarks.memory [--bundle DIR] [--image FILE] [--starts N] [--json FILE]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.callers import Caller, encode_body, read_answer
from benchmarks.crowds import run_crowd
from benchmarks.models import choose_bundle, describe_bundle
from benchmarks.options import add_bundle, add_images, make_parser, run_benchmark
from benchmarks.photographs import SIZES, read_photographs
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.serving import publish_bundle, read_memory, serve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.photographs import Photograph
    from benchmarks.results import Row
    from benchmarks.serving import Server

CLIENTS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("memory", __doc__)
    add_bundle(parser)
    add_images(parser)
    parser.add_argument("--starts", type=int, default=5, help="of which the median is shown [default: 5]")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """Start, fill and watch servers."""
    machine, bundle = describe_machine(), choose_bundle(given.bundle, scratch)
    photograph = read_photographs(given.image, SIZES[-1:])[0]
    setting = describe_bundle(bundle) | {"photograph": photograph.name, "clients": CLIENTS, "starts": given.starts}
    print_setting(machine, setting)
    rows = [
        _row("atrous --version", "s", _median_s(given.starts, lambda _: _time_version())),
        _row("start, new home", "s", _median_s(given.starts, lambda turn: _time_start(scratch / f"new {turn}"))),
        _row("start, known home", "s", _median_s(given.starts, lambda _: _time_start(scratch / "new 0"))),
        *measure_first_answers(bundle.folder, photograph, scratch),
    ]
    filled, told = measure_memory(bundle.folder, photograph, scratch)
    rows += filled
    setting |= {"precision": told["quantization"], "backend": told["backend"]}
    print_rows(rows)
    save_result(make_result("memory", setting, rows, machine), given.json)


def measure_first_answers(bundle: Path, photograph: Photograph, scratch: Path) -> list[Row]:
    """The first answer of a server that never ran on this machine, of one that did, and the one after."""
    home, compiled, body = scratch / "first", scratch / "compiled", encode_body(photograph)
    publish_bundle(bundle, home)
    rows: list[Row] = []
    for what in ("first answer ever", "first answer"):
        with serve(home, NUMBA_CACHE_DIR=str(compiled)) as server, Caller(server.model_url) as caller:
            rows.append(_row(what, "s", caller.ask_idle(body).seconds))
            second_s = caller.ask_idle(body).seconds
    return [*rows, _row("second answer", "s", second_s)]


def measure_memory(bundle: Path, photograph: Photograph, scratch: Path) -> tuple[list[Row], dict[str, str]]:
    """RSS of a server as it takes on more, and what it says that it answers by."""
    home, body = scratch / "filled", encode_body(photograph)
    publish_bundle(bundle, home)
    with serve(home) as server:
        rows = [_row("memory, idle", "MiB", _rss_mib(server))]
        with Caller(server.model_url) as caller:
            told = read_answer(caller, photograph)["resolved_model"]
        rows.append(_row("memory, one model, one answer", "MiB", _rss_mib(server)))
        run_crowd(server.model_url, body, clients=CLIENTS, requests=4 * CLIENTS)
        rows.append(_row(f"memory, after {CLIENTS} clients", "MiB", _rss_mib(server)))
        rows.append(_row(f"memory, peak with {CLIENTS} clients", "MiB", read_memory(server.pid).peak_mib))
    return rows, told


def _row(what: str, unit: str, value: float) -> Row:
    return {"what": what, "value": value, "unit": unit}


def _median_s(turns: int, time_it: Callable[[int], float]) -> float:
    return statistics.median(time_it(turn) for turn in range(max(1, turns)))


def _time_version() -> float:
    started_s = time.perf_counter()
    subprocess.run([sys.executable, "-m", "atrous", "--version"], check=True, capture_output=True)
    return time.perf_counter() - started_s


def _time_start(home: Path) -> float:
    with serve(home) as server:
        return server.start_s


def _rss_mib(server: Server) -> float:
    return read_memory(server.pid).rss_mib


if __name__ == "__main__":
    sys.exit(main())
