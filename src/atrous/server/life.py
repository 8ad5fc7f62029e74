"""Where a server stands between its start and its end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from atrous.core.errors import AtrousError

# What probes and scrapers ask; answered to the very end.
LIFE_PATHS = frozenset({"/", "/info", "/healthz", "/readiness", "/metrics"})


class Life:
    """Whether requests may be sent: once all preloaded models have answered, and until the server is asked to end."""

    def __init__(self, preloads: Iterable[str]) -> None:
        self._cold = dict.fromkeys(preloads)
        self._is_draining = False
        self._in_flight = 0
        self._failure: AtrousError | None = None

    @property
    def is_ready(self) -> bool:
        """Whether requests may be sent."""
        return not self._cold and not self._is_draining

    @property
    def is_draining(self) -> bool:
        """Whether the server has been asked to end."""
        return self._is_draining

    @property
    def in_flight(self) -> int:
        """Requests that the end waits for."""
        return self._in_flight

    @property
    def obstacle(self) -> str | None:
        """Why the server is not ready, without the names of models; None if it is."""
        if self._is_draining:
            return "the server is about to end"
        return f"{len(self._cold)} preloaded models have not answered yet" if self._cold else None

    @property
    def failure(self) -> AtrousError | None:
        """Why the server is to end without having been asked; None if it is not."""
        return self._failure

    def give_up(self, failure: AtrousError) -> None:
        """Let the server end: it can never become ready."""
        self._failure = failure

    def note_warm(self, model_id: str) -> None:
        """A preloaded model has answered."""
        self._cold.pop(model_id, None)

    def begin_drain(self) -> None:
        """Refuse what is new from now on."""
        self._is_draining = True

    def refuses(self, path: str) -> bool:
        """Whether a new request is to be refused."""
        return self._is_draining and path not in LIFE_PATHS

    @contextmanager
    def serving(self) -> Generator[None]:
        """Let the end wait for what happens inside."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
