"""Clients that work at the same time, each sending the next picture when it has the last answer."""

from __future__ import annotations

import math
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.callers import BUSY, OK, Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.callers import Reply

# Roboflow's client waits up to so long before it tries again.
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """What came back to all clients, and in how many seconds altogether."""

    replies: list[Reply]
    elapsed_s: float

    def seconds(self, status: int) -> list[float]:
        """How long each reply of a status took."""
        return [reply.seconds for reply in self.replies if reply.status == status]

    @property
    def rate_per_s(self) -> float:
        """Answers per second; refusals are none."""
        return len(self.seconds(OK)) / self.elapsed_s


def run_crowd(
    model_url: str,
    body: bytes,
    *,
    clients: int,
    requests: int,
    limit_s: float = math.inf,
    pause_s: float = PAUSE_S,
) -> Crowd:
    """Send a picture so often, from so many clients at a time.

    Args:
        model_url: where it is posted.
        body: the picture as base64.
        clients: connections, each with one request in flight.
        requests: of all clients together, refused ones too.
        limit_s: after that no client sends any more.
        pause_s: the longest that a client waits after it was refused.

    Raises:
        InvalidInputError: if the server stops answering, or says something else than 200 or 503.
    """
    # One step of an iterator written in C is atomic, so each number is taken once.
    numbers, started_s = count(), time.perf_counter()

    def take_turns() -> Iterator[None]:
        while next(numbers) < requests and time.perf_counter() - started_s < limit_s:
            yield

    def work(client: int) -> list[Reply]:
        with Caller(model_url) as caller:
            pauses = random.Random(client)
            return [_ask(caller, body, pauses.uniform(0, pause_s)) for _ in take_turns()]

    with ThreadPoolExecutor(clients) as threads:
        replies = [reply for part in threads.map(work, range(clients)) for reply in part]
    return Crowd(replies, time.perf_counter() - started_s)


def _ask(caller: Caller, body: bytes, pause_s: float) -> Reply:
    reply = caller.ask(body)
    if reply.status == BUSY:
        time.sleep(pause_s)
    return reply
