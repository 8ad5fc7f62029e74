"""Models that are loaded and have answered once before the server calls itself ready."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from atrous.core.errors import AtrousError, StorageError, UnavailableError
from atrous.core.ids import ModelSlugId, parse_model_id
from atrous.server.keys import find_own_workspace
from atrous.server.loaded_model import answer_blank
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from atrous.server.service import Service

logger = logging.getLogger(__name__)

RETRY_S = 5.0


async def preload_models(service: Service) -> None:
    """Load the models of the setting one after the other, trying those that fail again until they answer.

    A deployment has nothing else to serve, so it ends where trying again does not help.
    """
    cold = list(service.settings.preload_models)
    complaints: dict[str, str] = {}
    while cold:
        for name in tuple(cold):
            try:
                await _warm_up(service, name)
            except AtrousError as error:
                if service.settings.deployment and not isinstance(error, UnavailableError | StorageError):
                    service.life.give_up(error)
                    return
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
    await service.slots.run(partial(opened.loaded.run, answer_blank), opened.key)


def _find_owner(service: Service, name: str) -> tuple[str, str]:
    """Workspace and model id of `project/version`, `workspace/model-slug` or `workspace:project/version`.

    Where only one workspace is served, there is none to be named before a colon.
    """
    if service.settings.only_workspace:
        return service.settings.only_workspace, name
    workspace, _, model_id = name.rpartition(":")
    parsed = parse_model_id(model_id)
    if workspace:
        return workspace, model_id
    if isinstance(parsed, ModelSlugId):
        return parsed.workspace, model_id
    return find_own_workspace(service), model_id
