"""What a worker does beside its jobs, now and then."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from atrous.core.errors import AtrousError
from atrous.workspace.trainings import settle_trainings
from atrous.workspace.trash import empty_trash
from atrous.workspace.versions import resume_generations

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.workspace.ports import Ports

logger = logging.getLogger(__name__)

CHORE_PAUSE_S = 60


def _resume_generations(ports: Ports) -> None:
    lost = resume_generations(ports)
    if lost:
        logger.info("versions queued again: %s", lost)


def _empty_trash(ports: Ports) -> None:
    for item in empty_trash(ports, ports.clock.now()):
        logger.info("forgotten: %s %s", item.kind, item.id)


CHORES: tuple[Callable[[Ports], None], ...] = (settle_trainings, _resume_generations, _empty_trash)


def do_chores(ports: Ports) -> None:
    """Do each once; what fails is said, and tried again next time."""
    for chore in CHORES:
        try:
            chore(ports)
        except AtrousError as error:
            logger.warning("chore failed: %s: %s", chore.__name__, error)


def start_chores(ports: Ports) -> None:
    """Do them every minute, in a thread: a long one is not to keep leases from being renewed."""
    threading.Thread(target=_repeat, args=(ports,), daemon=True).start()


def _repeat(ports: Ports) -> None:
    while True:
        time.sleep(CHORE_PAUSE_S)
        do_chores(ports)
