"""What it costs to ask a dedicated deployment through the main server instead of at its own address.

usage: python -m benchmarks.proxy [--bundle DIR] [--image FILE ...] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from atrous.adapters.home import open_home
from atrous.core.sizes import Size
from atrous.workspace.deployment import Deployment, DeploymentState
from benchmarks.callers import Caller, encode_body, read_answer
from benchmarks.models import MODEL_ID, choose_bundle, describe_bundle
from benchmarks.options import add_bundle, add_images, make_parser, run_benchmark
from benchmarks.photographs import SIZES, read_photographs
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.serving import publish_bundle, serve
from benchmarks.times import find_percentile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.photographs import Photograph
    from benchmarks.results import Row

NAME = "bench"
DIRECT, PROXY = "direct", "proxy"
# A thumbnail first: the less there is to do, the more the way counts.
SMALL = Size(height=120, width=160)
WARM_UP, SETTLE_S = 3, 0.005
# Both servers take their tasks from one home; neither runs anything beside.
ALONE: dict[str, Any] = {"ATROUS_DEPLOYMENTS": "off"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("proxy", __doc__)
    add_bundle(parser)
    add_images(parser)
    parser.add_argument("--repeat", type=int, default=200, help="counted rounds per picture [default: 200]")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """Time every picture both ways, in turns, so that a drift of the machine hits both alike."""
    machine, bundle = describe_machine(), choose_bundle(given.bundle, scratch)
    setting = describe_bundle(bundle) | {"rounds": given.repeat, "clients": 1}
    print_setting(machine, setting)
    home = scratch / "home"
    publish_bundle(bundle.folder, home)
    with serve(home, ATROUS_DEPLOYMENT=NAME, **ALONE) as deployment, serve(home, **ALONE) as server:
        note_deployment(home, deployment.url)
        urls = {DIRECT: deployment.model_url, PROXY: f"{server.url}/deployments/{NAME}/{MODEL_ID}"}
        photographs = read_photographs(given.image, (SMALL, *SIZES))
        rows = [time_ways(photograph, urls, repeat=given.repeat) for photograph in photographs]
    print_rows(rows)
    save_result(make_result("proxy", setting, rows, machine), given.json)


def note_deployment(home: Path, address: str) -> None:
    """Tell the servers of a home where the deployment is."""
    ports = open_home(home)
    (workspace,) = ports.store.list_workspaces()
    ports.store.add_deployment(
        Deployment(
            name=NAME,
            workspace=workspace,
            machine_type=NAME,
            creator_email="",
            created=ports.clock.now(),
            state=DeploymentState.READY,
            address=address,
        )
    )


def time_ways(photograph: Photograph, urls: Mapping[str, str], *, repeat: int) -> Row:
    """Milliseconds of an answer by way, and what the proxy adds to the median."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    body = encode_body(photograph)
    with Caller(urls[DIRECT]) as direct, Caller(urls[PROXY]) as proxy:
        ways = {DIRECT: direct, PROXY: proxy}
        for caller in ways.values():
            read_answer(caller, photograph)
        for round_number in range(WARM_UP + repeat):
            for way, caller in ways.items():
                reply = caller.ask_idle(body)
                if round_number >= WARM_UP:
                    seconds[way].append(reply.seconds)
                time.sleep(SETTLE_S)
    times_ms = {
        f"{way}_p{percent}_ms": 1000 * find_percentile(seconds[way], percent) for percent in (50, 95) for way in ways
    }
    added_ms = times_ms["proxy_p50_ms"] - times_ms["direct_p50_ms"]
    ratio = times_ms["proxy_p50_ms"] / times_ms["direct_p50_ms"]
    return (
        {"photograph": photograph.name, "body_kb": len(body) / 1000}
        | times_ms
        | {
            "added_p50_ms": added_ms,
            "ratio_p50": ratio,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
