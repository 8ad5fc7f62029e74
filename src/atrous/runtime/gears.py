"""One network opened twice: for a caller who is alone, and for many."""

from __future__ import annotations

import logging
from threading import Lock, Thread
from typing import TYPE_CHECKING

from atrous.core.errors import AtrousError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from atrous.runtime.backends import Network

logger = logging.getLogger(__name__)


class Gears:
    """Runs a pass on all threads while few run, and on one thread each once there are callers for half of them.

    Passes of one thread lose no time to each other; the other half of the cores is busy with the callers' pictures.

    The second network is opened when it is first needed, beside the passes; until then the first one does it all.

    Args:
        wide: the network whose passes take all threads.
        open_narrow: opens the one whose passes take one thread each.
        threads: how many threads there are.
    """

    def __init__(self, wide: Network, open_narrow: Callable[[], Network], threads: int) -> None:
        self._wide = wide
        self._narrow: Network | None = None
        self._open_narrow = open_narrow
        self._many = max(2, threads // 2)
        self._lock = Lock()
        self._running = 0
        self._is_asked = False

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w]."""
        network = self._enter()
        try:
            return network(input_BCHW)
        finally:
            with self._lock:
                self._running -= 1

    def _enter(self) -> Network:
        with self._lock:
            self._running += 1
            if self._running < self._many:
                return self._wide
            if not self._is_asked:
                self._is_asked = True
                Thread(target=self._open, name="open-narrow", daemon=True).start()
            return self._narrow or self._wide

    def _open(self) -> None:
        try:
            self._narrow = self._open_narrow()
        except AtrousError as error:
            logger.warning("no network for many callers, one does it all: %s", error)
