"""`atrous serve --engine ray`: the server stays as it is; networks are in replicas that Ray Serve keeps."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.serve.exceptions import RayServeException

from atrous.bundle.bundle import open_bundle
from atrous.core.errors import AtrousError, UnavailableError
from atrous.ray_engine.applications import Applications
from atrous.ray_engine.bundles import hash_bundle
from atrous.ray_engine.cluster import describe_fault, join_cluster
from atrous.ray_engine.model_order import ModelOrder, open_ordered
from atrous.ray_engine.model_replica import ReplicaSize
from atrous.ray_engine.remote_model import RemoteModel
from atrous.ray_engine.scaling import check_site
from atrous.runtime.loading import AUTO
from atrous.server.service import choose_engine_options

if TYPE_CHECKING:
    from collections.abc import Generator

    from atrous.cli.engines import ServeSite
    from atrous.ray_engine.applications import Application
    from atrous.ray_engine.scaling import Scaling
    from atrous.runtime.loading import EngineOptions
    from atrous.server.settings import Settings
    from atrous.workspace.records import Model

# Threads of the server that wait for replicas; of which each model's queue takes a part.
MOST_CALLS = 1000
SHARED = "shared"
# A machine may have to be started first.
LONGEST_TRIAL_S = 110.0


@contextmanager
def serve_on_ray(site: ServeSite) -> Generator[RemoteModels]:
    """Join the cluster within the block; give what opens models there.

    Raises:
        InvalidInputError: if the table `[ray]` has something that cannot be.
        UnavailableError: if the cluster cannot be reached.
    """
    scaling = check_site(site)
    with join_cluster(address=scaling.address):
        models = RemoteModels(site, scaling)
        try:
            yield models
        finally:
            models.close()


class RemoteModels:
    """Opens models on a cluster; see `ModelSource`."""

    concurrency = MOST_CALLS

    def __init__(self, site: ServeSite, scaling: Scaling) -> None:
        settings = site.settings
        self._site = site
        self._scaling = scaling
        self._size = _choose_size(settings, scaling)
        self._applications = Applications(scaling, self._size, max(1, settings.max_waiting), settings.deployment)
        self._preloaded = frozenset(settings.preload_models)

    def open(self, model: Model) -> RemoteModel:
        """Have a model deployed; its first replica is begun when it is asked for, or at once if it is preloaded."""
        started_s = time.perf_counter()
        folder = self._site.bundles.locate(model.workspace, model.slug)
        bundle = open_bundle(folder)
        options = replace(choose_engine_options(self._site.settings), threads=self._size.threads)
        order = ModelOrder(model, hash_bundle(folder), str(self._site.home), self._site.places, options)
        try:
            order = self._settle(order)
            application = self._claim(order)
        except (RayError, RayServeException) as error:
            raise UnavailableError(
                f"model {order.name}: the cluster refused it ({describe_fault(error)}); send the request again later, "
                "and look at the logs of Ray"
            ) from error
        return RemoteModel(order, bundle.preprocessing.size, time.perf_counter() - started_s, application)

    def close(self) -> None:
        """Let all replicas go that nothing keeps busy."""
        self._applications.close()

    def _claim(self, order: ModelOrder) -> Application:
        if self._scaling.multiplex:
            return self._applications.claim(None, SHARED, least=max(self._scaling.min_replicas, bool(self._preloaded)))
        least = max(self._scaling.min_replicas, _is_among(self._preloaded, order.model))
        return self._applications.claim(order, f"{order.model.workspace}-{order.model.slug}", least=least)

    def _settle(self, order: ModelOrder) -> ModelOrder:
        """Choose once how the network is run: machines that choose for themselves might answer differently."""
        if AUTO not in {order.options.precision, order.options.backend}:
            return order
        task = _settle.options(num_cpus=self._size.threads, num_gpus=self._scaling.gpus_per_replica)
        try:
            found = ray.get(task.remote(order), timeout=LONGEST_TRIAL_S)
        except GetTimeoutError:
            raise UnavailableError(
                f"model {order.name}: the cluster had no room for it for {LONGEST_TRIAL_S:g} s; send the request again "
                "later, or add machines"
            ) from None
        if isinstance(found, AtrousError):
            raise found
        return replace(order, options=found)


@ray.remote
def _settle(order: ModelOrder) -> EngineOptions | AtrousError:
    try:
        engine = open_ordered(order)
    except AtrousError as error:
        return error
    return replace(order.options, backend=engine.backend, precision=engine.quantization)


def _choose_size(settings: Settings, scaling: Scaling) -> ReplicaSize:
    threads = scaling.cpus_per_replica or settings.threads or 1
    concurrency = settings.concurrency or max(2, threads, settings.max_batch)
    # As many again lie ready, so that none waits for the next piece of work to travel.
    return ReplicaSize(
        threads=threads,
        concurrency=concurrency,
        max_ongoing=2 * concurrency,
        models=scaling.multiplex or 1,
        max_pixels=settings.max_total_pixels,
    )


def _is_among(preloaded: frozenset[str], model: Model) -> bool:
    names = {f"{model.workspace}/{model.slug}", str(model.version_id), f"{model.workspace}:{model.version_id}"}
    return not names.isdisjoint(preloaded)
