"""`atrous infer --engine ray`: shards go through Ray Data, one a task, and are kept by the process that makes them.

Ray Data moves numbers of shards alone. Pictures are read, and results written, where they are seen, so memory does not
grow with their number, and what is kept does not hang on this process or on Ray's own checkpoints.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray import data
from ray.exceptions import RayError

from atrous.bundle.bundle import open_bundle
from atrous.cli.tile_options import describe_tile
from atrous.core.errors import AtrousError, InvalidInputError, UnavailableError
from atrous.ray_engine.bundles import hash_bundle, pack_bundle
from atrous.ray_engine.outputs import open_output
from atrous.ray_engine.places import make_absolute
from atrous.ray_engine.plan import Plan, make_plan, read_plan
from atrous.ray_engine.replica import Attempts, Replica, ReplicaOrder
from atrous.ray_engine.shards import find_kept
from atrous.runtime.loading import AUTO, load_engine

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from atrous.cli.engines import InferListener, InferOrder, ShardReport
    from atrous.runtime.loading import EngineOptions

DEFAULT_THREADS = 2


def infer_on_ray(order: InferOrder, listener: InferListener) -> None:
    """Make all shards that are not kept yet; see `ClusterEngine.infer`.

    Raises:
        ConflictError: if the results of another order lie there.
        UnavailableError: if a shard ends every process that makes it, or the cluster is lost.
        AtrousError: what a replica could not do.
    """
    order = replace(order, places=tuple(map(make_absolute, order.places)), out=make_absolute(order.out))
    output = open_output(order.out)
    plan = _find_plan(order)
    kept = find_kept(output)
    listener.on_plan(plan.pictures, sum(map(plan.count_pictures, kept)))
    left = [number for number in range(plan.shards) if number not in kept]
    if left:
        for report in _make_shards(order, plan, left):
            listener.on_shard(report)
    output.clear()


def _find_plan(order: InferOrder) -> Plan:
    output, asked = open_output(order.out), _describe(order)
    plan = read_plan(output, asked)
    if plan is None:
        options = _settle(order)
        plan = make_plan(
            output,
            order.places,
            asked,
            backend=options.backend,
            precision=options.precision,
            shard_size=order.shard_size,
        )
    return plan


def _describe(order: InferOrder) -> dict[str, Any]:
    """What results depend on, in the words of the command line."""
    return {
        "model": order.model,
        "bundle": hash_bundle(order.bundle),
        "pictures": list(order.places),
        "only": sorted(order.kinds),
        "threshold": order.threshold,
        "jpeg_scale": order.jpeg_scale,
        "tile": describe_tile(order.tiling),
        "tile_overlap": order.tiling.overlap if order.tiling else None,
        "precision": order.options.precision,
        "backend": order.options.backend,
        "shard_size": order.shard_size,
    }


def _settle(order: InferOrder) -> EngineOptions:
    """Choose once how the network is run: machines that choose for themselves might answer differently."""
    options = order.options
    if AUTO not in {options.precision, options.backend}:
        open_bundle(order.bundle)
        return options
    engine = load_engine(order.bundle, options)
    return replace(options, backend=engine.backend, precision=engine.quantization)


def _make_shards(order: InferOrder, plan: Plan, left: Sequence[int]) -> Generator[ShardReport]:
    threads, room = _fit_replicas(order.threads)
    replicas = min(len(left), order.replicas or room)
    told = ReplicaOrder(
        attempts=Attempts.remote(),
        packed=ray.put(pack_bundle(order.bundle)),
        sha256=hash_bundle(order.bundle),
        out=order.out,
        kinds=order.kinds,
        threshold=order.threshold,
        jpeg_scale=order.jpeg_scale,
        tiling=order.tiling,
        options=replace(order.options, backend=plan.backend, precision=plan.precision, threads=threads),
    )
    # A block each, so that each shard is a task of its own.
    shards = data.from_items(list(left), override_num_blocks=len(left)).map(  # pyright: ignore[reportUnknownMemberType]
        Replica,  # pyright: ignore[reportArgumentType]  (a class is made one object of in each process)
        fn_constructor_args=(told,),
        compute=data.ActorPoolStrategy(size=replicas),
        num_cpus=threads,
    )
    try:
        for row in shards.iter_rows():
            if isinstance(row["answer"], AtrousError):
                raise row["answer"]
            yield row["answer"]
    except RayError as error:
        raise UnavailableError(
            f"{order.out}: the cluster gave up before all was seen ({_last_line(error)}); run the same command again"
        ) from error


def _fit_replicas(threads: int | None) -> tuple[int, int]:
    """Cores of a replica, and how many replicas the machines of the cluster have room for.

    Raises:
        InvalidInputError: if no machine has so many cores.
    """
    cores = [int(node["Resources"].get("CPU", 0)) for node in _list_nodes() if node["Alive"]]
    largest = max(cores)
    if threads and 0 < largest < threads:
        raise InvalidInputError(
            f"--threads {threads}: no machine has more than {largest} cores; choose at most that many"
        )
    # A cluster may have no machines that work until they are asked for.
    chosen = threads or max(1, min(DEFAULT_THREADS, largest))
    return chosen, max(1, sum(count // chosen for count in cores))


def _list_nodes() -> list[dict[str, Any]]:
    return ray.nodes()  # pyright: ignore[reportUnknownVariableType]


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2][:200]
