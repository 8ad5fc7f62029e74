"""`atrous infer --engine`: pictures through a cluster, told shard by shard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from atrous.cli.engines import InferOrder, find_engine
from atrous.cli.home import open_ports
from atrous.cli.terminal import open_progress, say, say_error
from atrous.core.errors import InvalidInputError
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from rich.progress import Progress

    from atrous.bundle.reduction import JpegScale
    from atrous.cli.engines import ShardReport
    from atrous.cli.results import Kind
    from atrous.runtime.loading import EngineOptions
    from atrous.runtime.tiling import Tiling

SHARD_SIZE = 500
MOST_FAULTS_TOLD = 20

ReplicasOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="With --engine: networks at a time \\[default: as many as have room].")
]
ThreadsOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="With --engine: cores of each of them \\[default: 2].")
]
ShardSizeOption: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, max=100_000, help=f"With --engine: pictures in a file of results \\[default: {SHARD_SIZE}]."),
]


def order_pictures(
    model_id: str,
    workspace: str | None,
    *,
    places: list[str],
    out: str,
    kinds: frozenset[Kind],
    threshold: float,
    jpeg_scale: JpegScale,
    tiling: Tiling | None,
    options: EngineOptions,
    replicas: int | None,
    threads: int | None,
    shard_size: int | None,
) -> InferOrder:
    """An order for a model of this home.

    Raises:
        NotFoundError: if there is no such model.
    """
    ports, slug = open_ports(workspace)
    model = find_model(ports, slug, model_id)
    return InferOrder(
        model=model_id,
        bundle=ports.bundles.locate(model.workspace, model.slug),
        places=tuple(places),
        out=out,
        kinds=kinds,
        threshold=threshold,
        jpeg_scale=jpeg_scale,
        tiling=tiling,
        options=options,
        replicas=replicas,
        threads=threads,
        shard_size=shard_size or SHARD_SIZE,
    )


def infer_in_cluster(engine: str, order: InferOrder) -> int:
    """Have a cluster see pictures; give how many could not be.

    Raises:
        AtrousError: as `ClusterEngine.infer`; what is kept by then is not seen again by the next run.
    """
    found = find_engine(engine)
    started_s = time.monotonic()
    with open_progress() as progress:
        listener = ClusterTally(progress)
        try:
            found.infer(order, listener)
        finally:
            say(listener.tell(order.out, time.monotonic() - started_s))
    return listener.failed


def check_cluster_options(engine: str | None, options: dict[str, object], refused: dict[str, object]) -> None:
    """See that options fit each other.

    Args:
        engine: the one asked for, if any.
        options: those that say something with an engine alone, by name; None where not given.
        refused: those that say something without one alone; false where not given.

    Raises:
        InvalidInputError: if one of them would be passed over.
    """
    if engine is None:
        lost = [name for name, value in options.items() if value is not None]
        reason = "says nothing alone; give --engine ray too"
    else:
        lost = [name for name, value in refused.items() if value]
        reason = f"a cluster sees pictures with models of its own; leave it out beside --engine {engine}"
    if lost:
        raise InvalidInputError(f"--{lost[0]}: {reason}")


class ClusterTally:
    """How a run goes, as a progress bar and as numbers."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("predicting", total=None)
        self.wanted = self.skipped = self.written = self.failed = 0

    def on_plan(self, pictures: int, done: int) -> None:
        """Begin the bar where the last run ended."""
        self.wanted, self.skipped = pictures, done
        self._progress.update(self._task, total=pictures, completed=done)

    def on_shard(self, report: ShardReport) -> None:
        """Move the bar, and name pictures that failed, though not all of a great many."""
        told = max(0, MOST_FAULTS_TOLD - self.failed)
        for fault in report.faults[:told]:
            say_error(fault)
        self.written += report.written
        self.failed += report.failed
        self._progress.advance(self._task, report.written + report.failed)

    def tell(self, out: str, seconds: float) -> str:
        """The run in a line."""
        left = self.wanted - self.skipped - self.written - self.failed
        parts = [f"{self.written} of {self.wanted} pictures written to {out}"]
        parts += [f"{self.skipped} were there already"] if self.skipped else []
        parts += [f"{self.failed} failed, as the shards' .jsonl say"] if self.failed else []
        parts += [f"{left} left; run the same command again"] if left else []
        parts += [f"{self.written / seconds:.1f} pictures per second"] if self.written and seconds > 0 else []
        return ", ".join(parts)
