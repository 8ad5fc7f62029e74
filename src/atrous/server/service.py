"""What the routes of one app share."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from atrous.server.pool import LoadedModel, ModelPool
from atrous.server.slots import Slots

if TYPE_CHECKING:
    from starlette.requests import Request

    from atrous.server.settings import Settings
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model for one request: the id it was asked by, and whether the request had to wait for its load."""

    model_id: str
    loaded: LoadedModel
    is_cold: bool


@dataclass(frozen=True, slots=True)
class Service:
    """The settings, ports, loaded models and threads of one app; `uuid` is stable for its life."""

    settings: Settings
    ports: Ports
    pool: ModelPool
    slots: Slots
    uuid: str

    async def open_model(self, model: Model, model_id: str) -> OpenModel:
        """Wait until a model is loaded.

        Raises:
            BrokenModelError: if its bundle cannot be loaded.
        """
        load, is_cold = self.pool.fetch(model, model_id)
        # Shielded, as others wait for the same load.
        loaded = await asyncio.shield(asyncio.wrap_future(load))
        return OpenModel(model_id, loaded, is_cold)


def make_service(settings: Settings, ports: Ports) -> Service:
    """Give an app's own pool and threads."""
    count = settings.concurrency or max(2, os.cpu_count() or 1)
    return Service(
        settings=settings,
        ports=ports,
        pool=ModelPool(ports.bundles, max_models=settings.max_models, threads=settings.threads),
        slots=Slots(count, max_waiting=settings.max_waiting),
        uuid=secrets.token_hex(3),
    )


def service_of(request: Request) -> Service:
    """The service of the app that a request came to."""
    return cast("Service", request.app.state.service)
