"""What the server does under load: 1 to 64 clients that each send the next picture when they have the last answer.

usage: python -m benchmarks.load [--bundle DIR] [--image FILE] [--clients N ...] [--requests N] [--soak N] [--json FILE]
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.callers import BUSY, OK, Caller, encode_body, read_answer
from benchmarks.crowds import run_crowd
from benchmarks.models import choose_bundle, describe_bundle
from benchmarks.options import add_bundle, add_engine, add_images, make_parser, run_benchmark
from benchmarks.photographs import SIZES, read_photographs
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.serving import publish_bundle, read_memory, serve
from benchmarks.times import find_percentile, find_slope

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.crowds import Crowd
    from benchmarks.results import Row
    from benchmarks.serving import Server

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
# So that each client of a big crowd gets several turns.
LEAST_TURNS = 4
SOAK_CLIENTS, SOAK_PARTS = 4, 10
# The first parts of a soak fill pools and caches; growth is what comes after.
SOAK_WARM_UP = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("load", __doc__)
    add_bundle(parser)
    add_images(parser)
    add_engine(parser, precisions=["auto"])
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS), help="[default: 1 2 4 8 16 32 64]")
    parser.add_argument("--requests", type=int, default=96, help="of a step, 4 a client at least [default: 96]")
    parser.add_argument("--limit", type=float, default=60, help="seconds until a step sends no more [default: 60]")
    parser.add_argument("--max-waiting", help="of the server's queue [default: the server's]")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="send N requests instead, watching memory")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """Run all steps, or the soak, on a server for each precision."""
    machine, bundle = describe_machine(), choose_bundle(given.bundle, scratch)
    photograph = read_photographs(given.image, SIZES[:1])[0]
    setting = describe_bundle(bundle) | {
        "photograph": photograph.name,
        "limit_s": given.limit,
        "max_waiting": given.max_waiting,
    }
    print_setting(machine, setting)
    run: Callable[[Server, bytes, argparse.Namespace], list[Row]] = run_soak if given.soak else run_steps
    rows: list[Row] = []
    for precision in given.precision:
        home = scratch / precision
        publish_bundle(bundle.folder, home)
        variables = {"ATROUS_PRECISION": precision, "ATROUS_BACKEND": given.backend}
        # An empty variable leaves the choice to the server.
        with serve(home, **variables, ATROUS_MAX_WAITING=given.max_waiting or "") as server:
            with Caller(server.model_url) as caller:
                told = read_answer(caller, photograph)["resolved_model"]
            found = run(server, encode_body(photograph), given)
        print_rows(found)
        rows += [{"precision": told["quantization"], "backend": told["backend"]} | row for row in found]
    save_result(make_result("soak" if given.soak else "load", setting, rows, machine), given.json)


def run_steps(server: Server, body: bytes, given: argparse.Namespace) -> list[Row]:
    """A row for each number of clients."""
    rows: list[Row] = []
    run_crowd(server.model_url, body, clients=2, requests=4)
    for clients in given.clients:
        before = read_memory(server.pid)
        requests = max(given.requests, LEAST_TURNS * clients)
        crowd = run_crowd(server.model_url, body, clients=clients, requests=requests, limit_s=given.limit)
        after = read_memory(server.pid)
        rows.append(
            {"clients": clients}
            | describe_crowd(crowd)
            | {"rss_before_mib": before.rss_mib, "rss_after_mib": after.rss_mib, "peak_mib": after.peak_mib}
        )
    return rows


def describe_crowd(crowd: Crowd) -> Row:
    """Answers and refusals, each with the time that they took; None where there were none."""
    answered, refused = crowd.seconds(OK), crowd.seconds(BUSY)
    return {
        "answered": len(answered),
        "rate_per_s": crowd.rate_per_s,
        **{f"p{percent}_ms": _percentile_ms(answered, percent) for percent in (50, 95, 99)},
        "refused": len(refused),
        "refused_p50_ms": _percentile_ms(refused, 50),
        "refused_p99_ms": _percentile_ms(refused, 99),
    }


def run_soak(server: Server, body: bytes, given: argparse.Namespace) -> list[Row]:
    """A row of memory for each tenth of the requests; growth is per 1,000 requests, after what warms up."""
    rows: list[Row] = []
    part = max(1, given.soak // SOAK_PARTS)
    for number in range(SOAK_PARTS):
        crowd = run_crowd(server.model_url, body, clients=SOAK_CLIENTS, requests=part)
        memory = read_memory(server.pid)
        rows.append({"requests": part * (number + 1), "rss_mib": memory.rss_mib, "peak_mib": memory.peak_mib})
        print(f"{rows[-1]['requests']} requests, {crowd.rate_per_s:.1f}/s, {memory.rss_mib:.1f} MiB", flush=True)
    growth_mib = 1000 * find_slope([(row["requests"], row["rss_mib"]) for row in rows[SOAK_WARM_UP:]])
    print(f"growth: {growth_mib:.3f} MiB in 1,000 requests")
    return [row | {"growth_mib_per_1000": growth_mib} for row in rows]


def _percentile_ms(seconds: Sequence[float], percent: float) -> float | None:
    return 1000 * find_percentile(seconds, percent) if seconds else None


if __name__ == "__main__":
    sys.exit(main())
