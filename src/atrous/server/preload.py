"""Models that are loaded and have answered once before the server calls itself ready."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from starlette.concurrency import run_in_threadpool

from atrous.core.errors import AtrousError, UnavailableError
from atrous.core.ids import ModelSlugId, parse_model_id
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from atrous.server.service import Service

logger = logging.getLogger(__name__)

RETRY_S = 5.0
NO_THRESHOLD = 0.0


async def preload_models(service: Service) -> None:
    """Load the models of the setting one after the other, trying those that fail again until they answer."""
    cold = list(service.settings.preload_models)
    complaints: dict[str, str] = {}
    while cold:
        for name in tuple(cold):
            try:
                await _warm_up(service, name)
            except AtrousError as error:
                if complaints.get(name) != str(error):
                    # Without a traceback: the sentence says what to do.
                    logger.error("preload of %s failed, is tried again: %s", name, error)  # noqa: TRY400
                complaints[name] = str(error)
            else:
                cold.remove(name)
                service.life.note_warm(name)
        if cold:
            await asyncio.sleep(RETRY_S)


async def _warm_up(service: Service, name: str) -> None:
    workspace, model_id = await run_in_threadpool(_find_owner, service, name)
    model = await run_in_threadpool(find_model, service.ports, workspace, model_id)
    service.pool.pin(workspace, model_id)
    opened = await service.open_model(model, model_id)
    engine = opened.loaded.engine
    size = engine.bundle.preprocessing.size
    blank_HWC = np.zeros((size.height, size.width, 3), np.uint8)
    await service.slots.run(partial(engine.answer, blank_HWC, NO_THRESHOLD), opened.key)


def _find_owner(service: Service, name: str) -> tuple[str, str]:
    """Workspace and model id of `project/version`, `workspace/model-slug` or `workspace:project/version`."""
    workspace, _, model_id = name.rpartition(":")
    parsed = parse_model_id(model_id)
    if workspace:
        return workspace, model_id
    if isinstance(parsed, ModelSlugId):
        return parsed.workspace, model_id
    workspaces = service.ports.store.list_workspaces()
    if not workspaces:
        raise UnavailableError("this server has no workspace yet")
    return workspaces[0], model_id
