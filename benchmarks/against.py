"""Servers that are running, compared in turns: latency of one client, answers per second of several.

usage: python -m benchmarks.against --url NAME=http://HOST:PORT/PROJECT/VERSION --url NAME=... [--json FILE]
       python -m benchmarks.against --bundle DIR --precision fp32 int8 --url peer=... [--image FILE ...]

Ours are started where --precision asks for them. The last server named is what the others are compared with.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidInputError
from benchmarks.callers import OK, Caller, encode_body, read_answer
from benchmarks.crowds import run_crowd
from benchmarks.models import choose_bundle, describe_bundle
from benchmarks.options import add_bundle, add_engine, add_images, make_parser, run_benchmark
from benchmarks.photographs import read_photographs
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.serving import publish_bundle, serve
from benchmarks.times import Watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.photographs import Photograph
    from benchmarks.results import Row

WARM_UP = 2
# Of the throughput, so that here too a drift of the machine hits all.
TURNS = 2


@dataclass(frozen=True, slots=True)
class Named:
    """A server and what it is called in tables; `model_url` is where pictures are posted."""

    name: str
    model_url: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("against", __doc__)
    parser.add_argument(
        "--url", action="append", default=[], metavar="NAME=URL", help="a running server, the model id as its path"
    )
    add_bundle(parser)
    add_images(parser)
    add_engine(parser, precisions=[])
    parser.add_argument("--repeat", type=int, default=15, help="counted requests of one client [default: 15]")
    parser.add_argument("--clients", type=int, default=8, help="of the throughput [default: 8]")
    parser.add_argument("--load", type=int, default=32, help="requests of the throughput, per server [default: 32]")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """Compare all servers picture by picture."""
    peers = [parse_named(text) for text in given.url]
    if len(given.precision) + len(peers) < 2:
        raise InvalidInputError("one server cannot be compared; name two with --url or --precision")
    machine, photographs = describe_machine(), read_photographs(given.image)
    setting = {"rounds": given.repeat, "clients": given.clients, "load": given.load}
    with ExitStack() as stack:
        ours: list[Named] = []
        if given.precision:
            bundle = choose_bundle(given.bundle, scratch)
            setting = describe_bundle(bundle) | setting
            ours = [_start(bundle.folder, precision, given.backend, scratch, stack) for precision in given.precision]
        servers = [*ours, *peers]
        print_setting(machine, setting)
        rows = [row for photograph in photographs for row in compare(servers, photograph, given)]
    save_result(make_result("against", setting, rows, machine), given.json)


def parse_named(text: str) -> Named:
    """Read `NAME=URL`.

    Raises:
        InvalidInputError: if it is something else.
    """
    name, is_given, model_url = text.partition("=")
    if not (name and is_given):
        raise InvalidInputError(f"--url {text}: write NAME=http://HOST:PORT/PROJECT/VERSION")
    return Named(name, model_url)


def compare(servers: Sequence[Named], photograph: Photograph, given: argparse.Namespace) -> list[Row]:
    """A row for each server, with how it stands to the last of them."""
    watch = _time_one_client(servers, photograph, repeat=max(1, given.repeat))
    rates_per_s = _count_answers(servers, photograph, given)
    last = servers[-1].name
    rows = [
        {
            "photograph": photograph.name,
            "server": server.name,
            "p50_ms": watch.median_ms(server.name),
            "ratio": watch.median_ms(server.name) / watch.median_ms(last),
            "rate_per_s": rates_per_s[server.name],
            "gain": rates_per_s[server.name] / rates_per_s[last],
        }
        for server in servers
    ]
    print_rows(rows)
    return rows


def _time_one_client(servers: Sequence[Named], photograph: Photograph, *, repeat: int) -> Watch:
    watch, body = Watch(), encode_body(photograph)
    with ExitStack() as stack:
        callers = {server.name: stack.enter_context(Caller(server.model_url)) for server in servers}
        for _ in range(WARM_UP):
            for caller in callers.values():
                read_answer(caller, photograph)
        for _ in range(repeat):
            for name, caller in callers.items():
                watch.add(name, caller.ask_idle(body).seconds)
    return watch


def _count_answers(servers: Sequence[Named], photograph: Photograph, given: argparse.Namespace) -> dict[str, float]:
    body, requests = encode_body(photograph), max(given.clients, given.load // TURNS)
    answers = dict.fromkeys((server.name for server in servers), 0)
    elapsed_s = dict.fromkeys(answers, 0.0)
    for _ in range(TURNS):
        for server in servers:
            crowd = run_crowd(server.model_url, body, clients=given.clients, requests=requests)
            answers[server.name] += len(crowd.seconds(OK))
            elapsed_s[server.name] += crowd.elapsed_s
    return {name: answers[name] / elapsed_s[name] for name in answers}


def _start(bundle: Path, precision: str, backend: str, scratch: Path, stack: ExitStack) -> Named:
    home = scratch / precision
    publish_bundle(bundle, home)
    server = stack.enter_context(serve(home, ATROUS_PRECISION=precision, ATROUS_BACKEND=backend))
    return Named(f"atrous {precision}", server.model_url)


if __name__ == "__main__":
    sys.exit(main())
