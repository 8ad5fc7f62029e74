"""Where the first rank of a training tells what happens, and is told what is wished for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray

from atrous.ray_engine.cluster import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.core.errors import AtrousError
    from atrous.training.listener import EpochReport, StepReport

ASK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the listener wants by now."""

    stop: bool = False
    finish: bool = False


@ray.remote(num_cpus=0)
class Desk:
    """Between the ranks, which come and go, and the process that started them."""

    def __init__(self) -> None:
        self._told: list[tuple[str, Any]] = []
        self._wishes = Wishes()
        self._end: AtrousError | None = None

    def tell(self, method: str, report: Any) -> None:
        """Keep a call of the listener."""
        self._told.append((method, report))

    def exchange(self, wishes: Wishes) -> tuple[list[tuple[str, Any]], AtrousError | None]:
        """Take what was told since the last time and why going on is of no use, if it is not, and leave wishes."""
        told, self._told, self._wishes = self._told, [], wishes
        return told, self._end

    def read_wishes(self) -> Wishes:
        """What is wished for."""
        return self._wishes

    def end(self, error: AtrousError) -> None:
        """Say why going on is of no use; the first reason counts, as others follow from it."""
        self._end = self._end or error

    def read_end(self) -> AtrousError | None:
        """Why going on is of no use; None if it may be."""
        return self._end


class DeskListener:
    """Tells the desk.

    Args:
        desk: handle of the training's.
        on_kept: called with each epoch, whose checkpoint lies in the run folder by then.
    """

    def __init__(self, desk: Any, on_kept: Callable[[], None]) -> None:
        self._desk = desk
        self._on_kept = on_kept
        self._wishes = Wishes()
        self._asked_s = 0.0

    def on_step(self, report: StepReport) -> None:
        """Tell of a step, without waiting."""
        self._desk.tell.remote("on_step", report)

    def on_epoch(self, report: EpochReport) -> None:
        """Keep the checkpoint, then tell of the epoch."""
        self._on_kept()
        wait_for(self._desk.tell.remote("on_epoch", report))

    def should_stop(self) -> bool:
        """Whether somebody wants that, as of a moment ago."""
        return self._ask().stop

    def should_finish(self) -> bool:
        """Whether somebody wants that, as of a moment ago."""
        return self._ask().finish

    def _ask(self) -> Wishes:
        """What is wished for; asked every now and then, as a small network takes steps quicker than answers come."""
        now_s = time.monotonic()
        if now_s - self._asked_s > ASK_EVERY_S:
            self._wishes, self._asked_s = wait_for(self._desk.read_wishes.remote()), now_s
        return self._wishes
