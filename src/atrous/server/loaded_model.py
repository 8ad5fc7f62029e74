"""Models whose networks are in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from atrous.runtime.loading import load_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.core.sizes import Size
    from atrous.runtime.crew import Crew
    from atrous.runtime.engine import Engine
    from atrous.runtime.loading import EngineOptions
    from atrous.workspace.ports import Bundles
    from atrous.workspace.records import Model

T = TypeVar("T")

NO_THRESHOLD = 0.0


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to answer."""

    model: Model
    engine: Engine
    load_time_s: float

    @property
    def input_size(self) -> Size:
        """Of what its network sees."""
        return self.engine.bundle.preprocessing.size

    @property
    def memory_bytes(self) -> int:
        """What it is estimated to take of this process's memory."""
        return self.engine.memory_bytes

    def run(self, work: Callable[[LoadedModel], T]) -> T:
        """Do work in this thread, and give its result."""
        return work(self)

    def close(self) -> None:
        """Requests that hold it finish with it; its memory is free when nobody holds it."""


class LocalModels:
    """Loads models into this process.

    Args:
        bundles: where their files are.
        options: how their networks are run.
        crew: threads that help all of them.
        concurrency: requests that are worked for at a time.
    """

    def __init__(self, bundles: Bundles, options: EngineOptions, crew: Crew, concurrency: int) -> None:
        self._bundles = bundles
        self._options = options
        self._crew = crew
        self.concurrency = concurrency

    def open(self, model: Model) -> LoadedModel:
        """Load a model; see `ModelSource.open`."""
        started_s = time.perf_counter()
        engine = load_engine(self._bundles.locate(model.workspace, model.slug), self._options, self._crew)
        return LoadedModel(model, engine, time.perf_counter() - started_s)


def answer_blank(loaded: LoadedModel) -> None:
    """Let a model answer a picture of its own size, as proof that it can."""
    size = loaded.input_size
    loaded.engine.answer(np.zeros((size.height, size.width, 3), np.uint8), NO_THRESHOLD)
