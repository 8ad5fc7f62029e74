"""A process that holds networks and does what the server sends it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import cv2
from ray import serve

from atrous.core.cores import count_cores
from atrous.core.errors import AtrousError
from atrous.core.memory import read_memory_bytes
from atrous.ray_engine.model_order import open_ordered
from atrous.server.loaded_model import LoadedModel
from atrous.server.service import BYTES_PER_PIXEL
from atrous.server.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atrous.ray_engine.model_order import ModelOrder


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a piece of work.

    Attributes:
        value: its result; of no meaning where there is an error.
    """

    value: Any = None
    error: AtrousError | None = None


@dataclass(frozen=True, slots=True)
class ReplicaSize:
    """How much a replica takes on.

    Attributes:
        threads: of a network.
        concurrency: pieces of work at a time.
        max_ongoing: pieces of work that it has at a time, in work and waiting.
        models: networks at a time.
        max_pixels: of the pictures in work; 0 takes a share of the memory by its cores.
    """

    threads: int
    concurrency: int
    max_ongoing: int
    models: int = 1
    max_pixels: int = 0


class ModelReplica:
    """Does work on models.

    Args:
        size: how much it takes on.
        order: the model that it is there for; None where it is told with each piece of work.
    """

    def __init__(self, size: ReplicaSize, order: ModelOrder | None = None) -> None:
        cv2.setNumThreads(size.threads)
        self._slots = Slots(
            size.concurrency, max_waiting=size.max_ongoing, max_pixels=size.max_pixels or _choose_pixels(size.threads)
        )
        self._orders: dict[str, ModelOrder] = {}
        self._find = _share(self._load, size.models)
        self._own: LoadedModel | None = None
        if order is not None:
            self._own = _try_to_open(order)

    async def run(self, order: ModelOrder, work: Callable[[LoadedModel], Any]) -> Outcome:
        """Do a piece of work; an error that a person can act on is part of what became of it."""
        try:
            loaded = self._own or await self._find_shared(order)
            return Outcome(await self._slots.run(partial(work, loaded)))
        except AtrousError as error:
            return Outcome(error=error)

    async def _find_shared(self, order: ModelOrder) -> LoadedModel:
        self._orders[order.digest] = order
        return await self._find(order.digest)

    def _load(self, digest: str) -> LoadedModel:
        return _open(self._orders[digest])


def _share(load: Callable[[str], LoadedModel], most: int) -> Callable[[str], Awaitable[LoadedModel]]:
    """Keep what was loaded last, and let Ray know of it, so that work goes where its model is."""

    async def load_in_thread(name: str) -> LoadedModel:
        return await asyncio.to_thread(load, name)

    return cast("Any", serve.multiplexed(max_num_models_per_replica=most))(load_in_thread)


def _open(order: ModelOrder) -> LoadedModel:
    started_s = time.perf_counter()
    engine = open_ordered(order)
    return LoadedModel(order.model, engine, time.perf_counter() - started_s)


def _try_to_open(order: ModelOrder) -> LoadedModel | None:
    """Open a model before work comes; whoever sends the first piece is told what ails it."""
    try:
        return _open(order)
    except AtrousError:
        return None


def _choose_pixels(threads: int) -> int:
    """A quarter of the memory of its share of the machine, as a server takes of all."""
    share = min(1.0, threads / count_cores())
    return int(read_memory_bytes() * share) // 4 // BYTES_PER_PIXEL
