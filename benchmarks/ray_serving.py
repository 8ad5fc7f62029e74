"""Answers per second with 1, 2 and 4 replicas on a Ray cluster of several nodes, and what killing some of it costs.

usage: python -m benchmarks.ray_serving [--bundle DIR] [--image FILE] [--replicas N ...] [--cpus N] [--nodes N]
           [--requests N] [--kill-after SECONDS] [--json FILE]
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.callers import BUSY, OK, Caller, encode_body, read_answer
from benchmarks.crowds import run_crowd
from benchmarks.models import choose_bundle, describe_bundle
from benchmarks.options import add_bundle, add_images, make_parser, run_benchmark
from benchmarks.photographs import SIZES, read_photographs
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.serving import publish_bundle, serve
from benchmarks.times import find_percentile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from benchmarks.crowds import Crowd
    from benchmarks.photographs import Photograph
    from benchmarks.results import Row
    from benchmarks.serving import Server

# Kept busy: one in work, the next ones on their way.
CLIENTS_PER_REPLICA = 4
OBJECT_STORE_BYTES = 100 * 2**20
LIMIT_S = 120
POLL_S = 0.05
# Networks that are chosen by their speed are not the same in each run.
FIXED = {"ATROUS_PRECISION": "fp32", "ATROUS_BACKEND": "onnx", "ATROUS_DEPLOYMENTS": "off"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("ray_serving", __doc__)
    add_bundle(parser)
    add_images(parser)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4], help="[default: 1 2 4]")
    parser.add_argument("--cpus", type=int, default=1, help="cores of a replica [default: 1]")
    parser.add_argument("--nodes", type=int, default=3, help="of the cluster, its head not counted [default: 3]")
    parser.add_argument("--requests", type=int, default=100, help="for each replica [default: 100]")
    parser.add_argument("--kill-after", type=float, default=10, metavar="SECONDS", help="0 kills nothing [default: 10]")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """A row for the plain server and each number of replicas; then one for each thing that is killed."""
    machine, bundle = describe_machine(), choose_bundle(given.bundle, scratch)
    photograph = read_photographs(given.image, SIZES[:1])[0]
    setting = describe_bundle(bundle) | {"photograph": photograph.name, "cpus": given.cpus, "nodes": given.nodes}
    print_setting(machine, setting)
    home = scratch / "home"
    publish_bundle(bundle.folder, home)
    with serve(home, **FIXED) as server:
        rows = [{"server": "plain"} | _load(server, photograph, given.requests, CLIENTS_PER_REPLICA)]
    # So that each node has room for what another one lost.
    room = 1 + max(given.replicas) // max(1, given.nodes - 1)
    with open_cluster(given.nodes, room * given.cpus) as cluster:
        for replicas in given.replicas:
            with serve_on(cluster, home, replicas, given.cpus) as server:
                crowd = _load(server, photograph, given.requests * replicas, CLIENTS_PER_REPLICA * replicas)
                rows.append({"server": f"{replicas} replicas"} | crowd)
        print_rows(rows)
        if given.kill_after:
            with serve_on(cluster, home, max(given.replicas), given.cpus) as server:
                killed = _kill(cluster, server, photograph, max(given.replicas), given.kill_after)
            print_rows(killed)
            rows += killed
    save_result(make_result("ray_serving", setting, rows, machine), given.json)


@dataclass
class RayCluster:
    """Nodes on this machine, and what Ray Serve tells of them."""

    address: str
    nodes: list[Any]
    remove: Callable[[Any], None]

    def count_replicas(self) -> int:
        """How many replicas are running."""
        from ray import serve as ray_serve  # noqa: PLC0415  (set up by open_cluster first)

        deployments = (one for app in ray_serve.status().applications.values() for one in app.deployments.values())
        return sum(one.replica_states.get("RUNNING", 0) for one in deployments)

    def wait_for(self, replicas: int) -> None:
        """Wait until so many are running.

        Raises:
            SystemExit: if that takes too long.
        """
        end_s = time.monotonic() + LIMIT_S
        while self.count_replicas() != replicas:
            if time.monotonic() > end_s:
                raise SystemExit(
                    f"error: there were no {replicas} replicas within {LIMIT_S} s; give the cluster more room"
                )
            time.sleep(POLL_S)


@contextmanager
def open_cluster(nodes: int, cpus: int) -> Generator[RayCluster]:
    """Several nodes on this machine, each with processes and shared memory of its own; the head has no cores."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray  # noqa: PLC0415  (reads the variable)
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    shared = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **shared})
    try:
        made = [cluster.add_node(num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES) for _ in range(nodes)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield RayCluster(cluster.address, made, lambda node: cluster.remove_node(node, allow_graceful=False))
    finally:
        ray.shutdown()
        cluster.shutdown()


@contextmanager
def serve_on(cluster: RayCluster, home: Path, replicas: int, cpus: int) -> Generator[Server]:
    """A server whose model has so many replicas, all of them running; none are left afterwards."""
    from ray import serve as ray_serve  # noqa: PLC0415

    (home / "config.toml").write_text(
        f"[ray]\nmin_replicas = {replicas}\nmax_replicas = {replicas}\ncpus_per_replica = {cpus}\nidle_s = 5\n"
    )
    with serve(home, **FIXED, ATROUS_ENGINE="ray", RAY_ADDRESS=cluster.address, ATROUS_MAX_WAITING="1000") as server:
        yield server
    ray_serve.shutdown()
    (home / "config.toml").unlink()


def _load(server: Server, photograph: Photograph, requests: int, clients: int) -> Row:
    body = encode_body(photograph)
    with Caller(server.model_url) as caller:
        read_answer(caller, photograph)
    run_crowd(server.model_url, body, clients=clients, requests=2 * clients)
    return _describe(run_crowd(server.model_url, body, clients=clients, requests=requests))


def _describe(crowd: Crowd) -> Row:
    answered = crowd.seconds(OK)
    return {
        "answered": len(answered),
        "rate_per_s": crowd.rate_per_s,
        **{f"p{percent}_ms": 1000 * find_percentile(answered, percent) for percent in (50, 95, 99)},
        "refused": len(crowd.seconds(BUSY)),
    }


def _kill(cluster: RayCluster, server: Server, photograph: Photograph, replicas: int, after_s: float) -> list[Row]:
    """Kill a replica, and then the node with the most of them, each in the middle of a load of its own."""
    body, clients = encode_body(photograph), CLIENTS_PER_REPLICA * replicas
    with Caller(server.model_url) as caller:
        read_answer(caller, photograph)
        expected = _read_masks(caller.ask(body).body)
    deaths: dict[str, Callable[[], None]] = {
        "replica": lambda: os.kill(_find_pids()[0][1], signal.SIGKILL),
        "node": lambda: cluster.remove(_find_busiest(cluster)),
    }
    rows: list[Row] = []
    for name, kill in deaths.items():
        cluster.wait_for(replicas)
        with _killing(cluster, replicas, kill, after_s) as full_after_s:
            crowd = run_crowd(server.model_url, body, clients=clients, requests=sys.maxsize, limit_s=3 * after_s)
        wrong = sum(_read_masks(reply.body) != expected for reply in crowd.replies if reply.status == OK)
        rows.append({"killed": name, "wrong": wrong, "full_after_s": full_after_s[0], **_describe(crowd)})
    return rows


@contextmanager
def _killing(cluster: RayCluster, replicas: int, kill: Callable[[], None], after_s: float) -> Generator[list[float]]:
    """Kill something within the block; at its end the list holds the seconds until all replicas were there again."""
    full_after_s: list[float] = []

    def kill_and_watch() -> None:
        kill()
        killed_s = time.monotonic()
        # Ray needs a moment to see it.
        while cluster.count_replicas() == replicas and time.monotonic() < killed_s + LIMIT_S:
            time.sleep(POLL_S)
        cluster.wait_for(replicas)
        full_after_s.append(time.monotonic() - killed_s)

    timer = threading.Timer(after_s, kill_and_watch)
    timer.start()
    yield full_after_s
    timer.join()


def _read_masks(body: bytes) -> Any:
    return json.loads(body)["predictions"]


def _find_pids() -> list[tuple[str, int]]:
    """Node and process of each replica."""
    from ray._private.state import actors  # noqa: PLC0415  (the public one needs Ray's dashboard)

    return [
        (one["Address"]["NodeID"], one["Pid"])
        for one in actors().values()
        if one["State"] == "ALIVE" and one["ActorClassName"].startswith("ServeReplica")
    ]


def _find_busiest(cluster: RayCluster) -> Any:
    homes = [node_id for node_id, _ in _find_pids()]
    return max(cluster.nodes, key=lambda node: homes.count(node.node_id))


if __name__ == "__main__":
    sys.exit(main())
