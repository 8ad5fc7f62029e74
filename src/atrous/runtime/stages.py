"""Where the time of an answer goes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


class Stage(StrEnum):
    """The parts of an answer, in their order."""

    PICTURE = "picture"
    PREPARE = "prepare"
    PASS = "pass"  # noqa: S105  (of a network)
    PIXELS = "pixels"
    PNG = "png"
    JSON = "json"


class Stages:
    """Seconds by stage of one answer; a stage that comes again, as tiles do, is added up. For one thread."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}

    @contextmanager
    def time(self, stage: Stage) -> Generator[None]:
        """Add the time of the block."""
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.add({stage: time.perf_counter() - started_s})

    def add(self, seconds: Mapping[Stage, float]) -> None:
        """Add times that were taken elsewhere."""
        for stage, taken_s in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + taken_s
