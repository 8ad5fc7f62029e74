"""Models held in memory, each loaded once however many requests ask for it."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from threading import RLock
from typing import TYPE_CHECKING

from atrous.core.errors import BrokenModelError, InvalidBundleError, NotFoundError

if TYPE_CHECKING:
    from atrous.server.metrics import Metrics
    from atrous.server.model_source import ModelSource, ServedModel
    from atrous.workspace.records import Model

logger = logging.getLogger(__name__)

# Two, so that one huge model does not hold up the next; not more, as each load reads and hashes a whole bundle.
LOADING_THREADS = 2

ModelKey = tuple[str, str]


class ModelPool:
    """Loaded models by workspace and slug, and the ids that callers know them by. Safe to use from several threads.

    A model that no id stands for any more is dropped. Requests that hold a dropped model finish with it.
    """

    def __init__(self, source: ModelSource, metrics: Metrics, *, max_models: int, max_bytes: int) -> None:
        self._source = source
        self._metrics = metrics
        self._max_models = max_models
        self._max_bytes = max_bytes
        self._lock = RLock()
        # In order of last use; a load in progress is in here too, which is what makes others wait for it.
        self._loads: OrderedDict[ModelKey, Future[ServedModel]] = OrderedDict()
        self._names: dict[tuple[str, str], ModelKey] = {}
        self._pinned: set[tuple[str, str]] = set()
        self._loader = ThreadPoolExecutor(LOADING_THREADS, thread_name_prefix="load-model")

    def fetch(self, model: Model, model_id: str) -> tuple[Future[ServedModel], bool]:
        """Give a model, whether it was cold (not loaded yet), and remember the id that it was asked by.

        A failed load is forgotten, so that the next request tries again; its error is a BrokenModelError.
        """
        key = (model.workspace, model.slug)
        with self._lock:
            future = self._loads.get(key)
            is_new = future is None
            if future is None:
                future = self._loads[key] = self._loader.submit(self._load, model)
            self._loads.move_to_end(key)
            self._rename(model.workspace, model_id, key)
            is_cold = is_new or not future.done()
            if is_new:
                # Before anyone else can wait, so that whoever hears of a failure finds it forgotten.
                future.add_done_callback(lambda done: self._settle(key, done))
        return future, is_cold

    def pin(self, workspace: str, model_id: str) -> None:
        """Let whatever model an id stands for make room for no other."""
        with self._lock:
            self._pinned.add((workspace, model_id))

    def count(self) -> int:
        """How many models are in memory or being loaded."""
        return len(self._loads)

    def count_bytes(self) -> int:
        """What the models in memory are estimated to take."""
        with self._lock:
            return sum(_bytes_of(load) for load in self._loads.values())

    def list_loaded(self, workspace: str) -> list[tuple[str, ServedModel]]:
        """The ids that were asked for in a workspace and the models behind them, in the order they came."""
        with self._lock:
            named = [
                (model_id, self._loads[key]) for (owner, model_id), key in self._names.items() if owner == workspace
            ]
        return [(model_id, load.result()) for model_id, load in named if load.done() and load.exception() is None]

    def remove(self, workspace: str, model_id: str) -> None:
        """Forget an id, and its model with the last of its ids; an unknown id is no error."""
        with self._lock:
            key = self._names.pop((workspace, model_id), None)
            self._drop_unnamed(key)

    def clear(self, workspace: str) -> None:
        """Forget all models of a workspace."""
        with self._lock:
            for key in [key for key in self._loads if key[0] == workspace]:
                self._drop(key)

    def _load(self, model: Model) -> ServedModel:
        started = time.perf_counter()
        is_good = False
        try:
            served = self._source.open(model)
        except (InvalidBundleError, NotFoundError) as error:
            raise BrokenModelError(f"model {model.workspace}/{model.slug} cannot be loaded: {error}") from error
        else:
            is_good = True
        finally:
            load_time_s = time.perf_counter() - started
            self._metrics.count_load(load_time_s, is_good=is_good)
        logger.info("model loaded: %s/%s", model.workspace, model.slug, extra={"load_time_s": load_time_s})
        return served

    def _settle(self, key: ModelKey, load: Future[ServedModel]) -> None:
        """Forget a load that failed; let one that came through, not before, take the oldest model's place."""
        with self._lock:
            if not _is_loaded(load):
                if self._loads.get(key) is load:
                    self._drop(key)
                return
            if self._loads.get(key) is not load:
                load.result().close()
                return
            self._loads.move_to_end(key)
            while self._is_over() and self._make_room(key):
                pass

    def _is_over(self) -> bool:
        loaded = [load for load in self._loads.values() if load.done()]
        return len(loaded) > self._max_models or (len(loaded) > 1 and self.count_bytes() > self._max_bytes)

    def _make_room(self, newest: ModelKey) -> bool:
        """Drop the least recently used model that nobody pinned; the newest itself if all others are pinned.

        False if all are.
        """
        pinned = {self._names[name] for name in self._pinned if name in self._names}
        idle = (key for key, load in self._loads.items() if load.done() and key not in pinned and key != newest)
        oldest = next(idle, newest)
        if oldest in pinned:
            logger.warning(
                "the preloaded models are more than max_models or max_model_bytes of the server; raise them, or "
                "preload fewer"
            )
            return False
        self._drop(oldest)
        self._metrics.evictions.inc()
        return True

    def _rename(self, workspace: str, model_id: str, key: ModelKey) -> None:
        """Let an id stand for a model; `project/version` moves on when a newer model of it is published."""
        before = self._names.get((workspace, model_id))
        self._names[workspace, model_id] = key
        if before != key:
            self._drop_unnamed(before)

    def _drop_unnamed(self, key: ModelKey | None) -> None:
        if key is not None and key not in self._names.values():
            self._close(key)

    def _drop(self, key: ModelKey) -> None:
        self._close(key)
        self._names = {name: named for name, named in self._names.items() if named != key}

    def _close(self, key: ModelKey) -> None:
        """Forget a load; one in progress is closed at its end."""
        load = self._loads.pop(key, None)
        if load is not None and _is_loaded(load):
            load.result().close()


def _is_loaded(load: Future[ServedModel]) -> bool:
    return load.done() and not load.cancelled() and load.exception() is None


def _bytes_of(load: Future[ServedModel]) -> int:
    return load.result().memory_bytes if _is_loaded(load) else 0
