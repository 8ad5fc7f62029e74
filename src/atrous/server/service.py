"""What the routes of one app share."""

from __future__ import annotations

import asyncio
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from atrous.core.cores import count_cores
from atrous.core.memory import read_memory_bytes
from atrous.runtime.crew import Crew
from atrous.runtime.loading import EngineOptions, check_backend
from atrous.server.body_limit import BodyBudget
from atrous.server.life import Life
from atrous.server.loaded_model import LocalModels
from atrous.server.metrics import Metrics
from atrous.server.notes import current_notes
from atrous.server.pool import ModelKey, ModelPool
from atrous.server.rate_limit import RateLimit
from atrous.server.recent_logs import RecentLogs
from atrous.server.slots import Slots
from atrous.server.tracing import Tracing
from atrous.server.url_pictures import INTERNET, Network, UrlPictures
from atrous.server.usage import Usage
from atrous.workspace.machine_types import NO_FLEET, Fleet

if TYPE_CHECKING:
    from starlette.requests import Request

    from atrous.server.model_source import ModelSource, ServedModel
    from atrous.server.settings import Settings
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model

# A picture in work with its masks and its reply: 3 of colour, 2 of masks, and these again as PNG, text and JSON where
# they are so noisy that nothing makes them smaller.
BYTES_PER_PIXEL = 12


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model for one request: the id it was asked by, and whether the request had to wait for its load."""

    model_id: str
    loaded: ServedModel
    is_cold: bool

    @property
    def key(self) -> ModelKey:
        """What requests for this model queue under."""
        return self.loaded.model.workspace, self.loaded.model.slug


@dataclass(frozen=True, slots=True)
class Service:
    """The settings, ports, loaded models and threads of one app; `uuid` is stable for its life."""

    settings: Settings
    ports: Ports
    pool: ModelPool
    slots: Slots
    url_pictures: UrlPictures
    uuid: str
    life: Life
    metrics: Metrics
    rate_limit: RateLimit
    body_budget: BodyBudget
    recent_logs: RecentLogs
    tracing: Tracing
    usage: Usage
    fleet: Fleet = NO_FLEET

    async def open_model(self, model: Model, model_id: str) -> OpenModel:
        """Wait until a model is loaded.

        Raises:
            BrokenModelError: if its bundle cannot be loaded.
        """
        notes = current_notes()
        if notes is not None:
            notes.model, notes.model_id = model, model_id
        load, is_cold = self.pool.fetch(model, model_id)
        # Shielded, as others wait for the same load.
        loaded = await asyncio.shield(asyncio.wrap_future(load))
        return OpenModel(model_id, loaded, is_cold)


def make_service(
    settings: Settings,
    ports: Ports,
    network: Network = INTERNET,
    *,
    recent_logs: RecentLogs | None = None,
    tracing: Tracing | None = None,
    fleet: Fleet = NO_FLEET,
    models: ModelSource | None = None,
) -> Service:
    """Give an app's own pool, threads and figures; the log and the traces are the process's.

    Raises:
        MissingExtraError: if the backend of the settings cannot be had here.
    """
    metrics = Metrics()
    memory_bytes = min(read_memory_bytes(), settings.memory_bytes or sys.maxsize) // settings.workers
    models = models or make_local_models(settings, ports)
    service = Service(
        settings=settings,
        ports=ports,
        pool=ModelPool(
            models,
            metrics,
            max_models=settings.max_models,
            max_bytes=settings.max_model_bytes or memory_bytes // 2,
        ),
        slots=Slots(
            models.concurrency,
            max_waiting=settings.max_waiting,
            max_pixels=settings.max_total_pixels or memory_bytes // 4 // BYTES_PER_PIXEL,
        ),
        url_pictures=UrlPictures(
            allowed=settings.url_pictures,
            max_bytes=settings.max_body_bytes,
            timeout_s=settings.url_timeout_s,
            network=network,
        ),
        uuid=secrets.token_hex(3),
        life=Life(settings.preload_models),
        metrics=metrics,
        rate_limit=RateLimit(settings.requests_per_minute),
        body_budget=BodyBudget(settings.max_total_body_bytes),
        recent_logs=recent_logs or RecentLogs(settings.recent_logs),
        tracing=tracing or Tracing(),
        usage=Usage(ports.store, ports.clock, deployment=settings.deployment),
        fleet=fleet,
    )
    _watch(service)
    return service


def make_local_models(settings: Settings, ports: Ports) -> LocalModels:
    """Have models in this process.

    Raises:
        MissingExtraError: if the backend of the settings cannot be had here.
    """
    check_backend(settings.backend)
    concurrency = settings.concurrency or max(2, count_cores())
    return LocalModels(ports.bundles, choose_engine_options(settings), Crew(count_cores() - 1), concurrency)


def choose_engine_options(settings: Settings) -> EngineOptions:
    """How networks are run."""
    return EngineOptions(
        threads=settings.threads,
        precision=settings.precision,
        backend=settings.backend,
        max_batch=settings.max_batch,
        calibrated=settings.calibrated,
    )


def _watch(service: Service) -> None:
    watch = service.metrics.watch
    watch("atrous_requests_in_flight", "Requests being served.", lambda: service.life.in_flight)
    watch("atrous_requests_waiting", "Requests that wait for a slot.", lambda: service.slots.waiting)
    watch("atrous_slots_busy", "Slots at work.", lambda: service.slots.busy)
    watch("atrous_pixels_in_work", "Pixels of the pictures in work.", lambda: service.slots.pixels)
    watch("atrous_body_bytes", "Bytes of bodies held.", lambda: service.body_budget.used)
    watch("atrous_models_loaded", "Models in memory.", service.pool.count)
    watch("atrous_model_bytes", "Bytes that models in memory are estimated to take.", service.pool.count_bytes)


def service_of(request: Request) -> Service:
    """The service of the app that a request came to."""
    return cast("Service", request.app.state.service)
