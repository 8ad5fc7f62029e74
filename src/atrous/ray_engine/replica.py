"""A process of the cluster that has one network loaded and makes shards with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import ray

from atrous.cli.engines import ShardReport
from atrous.cli.home import find_home
from atrous.cli.predictors import LocalPredictor
from atrous.core.errors import AtrousError, InvalidInputError, UnavailableError
from atrous.ray_engine.bundles import unpack_bundle
from atrous.ray_engine.cluster import wait_for
from atrous.ray_engine.outputs import open_output
from atrous.ray_engine.places import read_picture
from atrous.ray_engine.plan import name_shard, read_shard
from atrous.ray_engine.shards import open_shard
from atrous.runtime.crew import Crew
from atrous.runtime.loading import load_engine

if TYPE_CHECKING:
    from atrous.bundle.reduction import JpegScale
    from atrous.cli.results import Kind
    from atrous.ray_engine.places import Listed
    from atrous.runtime.loading import EngineOptions
    from atrous.runtime.tiling import Tiling

SHOWN_FAULTS = 5
CACHE = "cache/bundles"
# A picture that ends the process which sees it ends the next ones too.
MOST_ATTEMPTS = 4


@ray.remote(num_cpus=0)
class Attempts:
    """How often each shard was begun: Ray repeats without end what a lost process had begun."""

    def __init__(self) -> None:
        self._counts = Counter[int]()

    def begin(self, shard: int) -> int:
        """Count one more, and tell how many there are."""
        self._counts[shard] += 1
        return self._counts[shard]


@dataclass(frozen=True, slots=True)
class ReplicaOrder:
    """What every replica is told.

    Attributes:
        attempts: handle of what counts them for all replicas.
        packed: reference to the packed bundle.
        sha256: of the bundle.
    """

    attempts: Any
    packed: ray.ObjectRef[bytes]
    sha256: str
    out: str
    kinds: frozenset[Kind]
    threshold: float
    jpeg_scale: JpegScale
    tiling: Tiling | None
    options: EngineOptions


class Replica:
    """Makes shards; Ray calls it with the number of each in turn."""

    def __init__(self, order: ReplicaOrder) -> None:
        self._order = order
        self._predictor: LocalPredictor | None = None

    def __call__(self, row: dict[str, int]) -> dict[str, Any]:
        """Make a shard; answer its report, or the error that ends the run."""
        try:
            self._begin(row["item"])
            return {"answer": self._make_shard(row["item"])}
        except AtrousError as error:
            return {"answer": error}

    def _begin(self, number: int) -> None:
        if wait_for(self._order.attempts.begin.remote(number)) > MOST_ATTEMPTS:
            raise UnavailableError(
                f"{name_shard(number)}: ended {MOST_ATTEMPTS} processes; see with fewer --replicas if memory is the "
                "reason, or take out the picture that no process survives, and run the same command again"
            )

    def _make_shard(self, number: int) -> ShardReport:
        order, faults, written = self._order, list[str](), 0
        predictor, output = self._open(), open_output(order.out)
        with open_shard(output, number, order.kinds) as shard:
            for picture, seen in predictor.predict_from(read_shard(output, number), _read):
                if isinstance(seen, InvalidInputError):
                    shard.add_fault(picture, seen)
                    faults.append(f"{picture.address}: {seen}")
                else:
                    shard.add(picture, seen)
                    written += 1
        return ShardReport(number, written, len(faults), tuple(faults[:SHOWN_FAULTS]))

    def _open(self) -> LocalPredictor:
        """The network, loaded with the first shard: what ails it is said as what ails a shard."""
        if self._predictor is None:
            order = self._order
            cv2.setNumThreads(order.options.threads)
            folder = unpack_bundle(wait_for(order.packed), order.sha256, find_home() / CACHE)
            engine = load_engine(folder, order.options, Crew(order.options.threads - 1))
            self._predictor = LocalPredictor(engine, order.threshold, 0.0, order.jpeg_scale, tiling=order.tiling)
        return self._predictor


def _read(picture: Listed) -> bytes:
    return read_picture(picture.address)
