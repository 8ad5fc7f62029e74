"""What becomes known of a request while it is served: for its line in the log, its metrics and its trace."""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from atrous.workspace.deployment import Deployment
    from atrous.workspace.records import Model


@dataclass(slots=True)
class Notes:
    """Filled in by whoever learns something, from any thread that works for the request.

    Attributes:
        request_id: as in the reply's `x-request-id`.
        secrets: whatever was sent as a key, valid or not; never to be written anywhere.
        key_id: of the key that opened the workspace.
        route: the path of the route that serves, with its placeholders.
        model: the one that was asked for.
        model_id: what it was asked for by.
        has_predicted: whether the model was put to work.
        pictures: answered so far.
        compute_s: seconds of all stages of these, waiting left out.
        deployment: the one that the request was passed on to.
        answer_by_s: when the request's time is up, as `time.monotonic` counts.
    """

    request_id: str
    secrets: list[str] = field(default_factory=list[str], repr=False)
    key_id: str | None = None
    route: str | None = None
    model: Model | None = None
    model_id: str = ""
    has_predicted: bool = False
    pictures: int = 0
    compute_s: float = 0.0
    deployment: Deployment | None = None
    answer_by_s: float = math.inf


_current: ContextVar[Notes | None] = ContextVar("atrous_request", default=None)


def current_notes() -> Notes | None:
    """The notes of the request that this code works for; None outside of requests."""
    return _current.get()


@contextmanager
def taking_notes(notes: Notes) -> Generator[None]:
    """Make these the notes of all that happens inside."""
    token = _current.set(notes)
    try:
        yield
    finally:
        _current.reset(token)
