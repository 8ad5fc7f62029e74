"""One deployment that this host keeps: its processes are brought, step by step, to what its row says it is to be."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from atrous.worker.deployments.backoff import Backoff
from atrous.workspace.deployment import DeploymentReport, DeploymentState, DeploymentWish

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from atrous.worker.deployments.ended import Ended
    from atrous.worker.deployments.pace import Pace
    from atrous.workspace.deployment import Deployment

MIB = 2**20
# It may take more and more until it is gone.
GRACE_OF_GREEDY_S = 5
STOPPING = "is being stopped; what it began is finished first"


class Process(Protocol):
    """A server, as `ServerProcess` is."""

    @property
    def address(self) -> str:
        """Where it answers."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it was ready once."""
        ...

    @property
    def is_hung(self) -> bool:
        """Whether it lives and answers no more."""
        ...

    @property
    def ended(self) -> Ended | None:
        """How it ended; None while it runs."""
        ...

    @property
    def excess_bytes(self) -> int:
        """Memory that it takes over what it may."""
        ...

    def ask_to_end(self) -> None:
        """Have it finish what it began, and end."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


@dataclass(slots=True)
class _Running:
    """A process and what it serves; times by the keeper's watch."""

    process: Process
    revision: int
    started_s: float


@dataclass(slots=True)
class _Leaving:
    """A process that is to end.

    Attributes:
        ask_at_s: when it is asked to; None while its address may still be told.
        kill_at_s: when it has had its time; None while it was not asked.
        grace_s: its time; None for that of the pace.
    """

    process: Process
    ask_at_s: float | None = None
    kill_at_s: float | None = None
    grace_s: float | None = None


class Kept:
    """The processes of one deployment: one that serves, one that is to follow it, and those that are leaving.

    Args:
        start: starts a process for a deployment; may raise OSError where the machine is full.
        pace: times.
        read_s: the watch.
    """

    def __init__(
        self, start: Callable[[Deployment], Process], pace: Pace, read_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._start = start
        self._pace = pace
        self._read_s = read_s
        self._backoff = Backoff(pace)
        self._serving: _Running | None = None
        self._coming: _Running | None = None
        self._leaving: list[_Leaving] = []
        self._revision = 0
        self._hopeless = ""
        self._message = ""

    @property
    def is_empty(self) -> bool:
        """Whether no process is left."""
        return self._serving is None and self._coming is None and not self._leaving

    def reconcile(self, row: Deployment, now: datetime) -> DeploymentReport:
        """Do what can be done now, and give what is to be told; PAUSED or EXPIRED only when no process is left."""
        if row.revision != self._revision:
            self._revision, self._hopeless, self._message = row.revision, "", ""
            self._backoff.forget()
        if goal := find_goal(row, now):
            return self._stop(row, goal)
        return self._run(row)

    def ask_all_to_end(self) -> None:
        """Let every process finish what it began, at once."""
        for one in self._list_processes():
            one.ask_to_end()

    def kill_all(self) -> None:
        """End every process at once."""
        for one in self._list_processes():
            one.kill()

    def has_ended(self) -> bool:
        """Whether all processes are gone."""
        return all(one.ended is not None for one in self._list_processes())

    def _list_processes(self) -> list[Process]:
        running = [one.process for one in (self._serving, self._coming) if one is not None]
        return [*running, *(one.process for one in self._leaving)]

    def _stop(self, row: Deployment, goal: DeploymentState) -> DeploymentReport:
        self._message = ""
        self._dismiss_coming()
        self._dismiss_serving()
        self._see_off(row)
        told = DeploymentReport(goal, restarts=row.restarts)
        return told if self.is_empty else replace(told, state=DeploymentState.PENDING, message=STOPPING)

    def _run(self, row: Deployment) -> DeploymentReport:
        deaths = self._bury(row)
        self._switch()
        self._see_off(row)
        self._begin(row)
        told = DeploymentReport(DeploymentState.PENDING, self._message, restarts=row.restarts + deaths)
        if self._serving is not None:
            state, address = DeploymentState.READY, self._serving.process.address
            return replace(told, state=state, address=address, served_revision=self._serving.revision)
        return replace(told, state=DeploymentState.FAILED) if self._hopeless else told

    def _bury(self, row: Deployment) -> int:
        """Forget the processes that died, let go of those that cannot go on, and count both."""
        deaths = 0
        for one in (self._serving, self._coming):
            if one is None:
                continue
            if ended := one.process.ended:
                self._forget(one)
                if ended.is_final and not one.process.is_ready:
                    self._give_up(one, ended.reason, row)
                else:
                    deaths += self._note_death(one, ended.describe())
            elif excess := one.process.excess_bytes:
                self._forget(one)
                self._leaving.append(_Leaving(one.process, self._read_s(), grace_s=GRACE_OF_GREEDY_S))
                deaths += self._note_death(one, f"took {excess // MIB + 1} MiB more memory than its machine type gives")
            elif one.process.is_hung or self._is_late(one):
                self._forget(one)
                one.process.kill()
                self._leaving.append(_Leaving(one.process, self._read_s(), self._read_s()))
                deaths += self._note_death(one, "answered no more" if one.process.is_ready else "never became ready")
        return deaths

    def _give_up(self, one: _Running, reason: str, row: Deployment) -> None:
        """A process said that it cannot run; the next one could not either."""
        if one.revision == row.revision:
            self._hopeless = reason
            is_change = self._serving is not None
            self._message = f"still serves what it did before, as the change failed: {reason}" if is_change else reason

    def _note_death(self, one: _Running, how: str) -> int:
        """Give 1, for the count."""
        now_s = self._read_s()
        self._backoff.note_death(now_s, now_s - one.started_s)
        self._message = f"was started again, as its process {how}"
        return 1

    def _is_late(self, one: _Running) -> bool:
        return not one.process.is_ready and self._read_s() - one.started_s > self._pace.start_s

    def _forget(self, one: _Running) -> None:
        if one is self._serving:
            self._serving = None
        else:
            self._coming = None

    def _begin(self, row: Deployment) -> None:
        """Start a process if one is wanted: never more than two at a time."""
        if self._coming is not None and self._coming.revision != row.revision:
            self._dismiss_coming()
        is_served = self._serving is not None and self._serving.revision == row.revision
        if is_served or self._coming or self._leaving or self._hopeless or not self._backoff.is_over(self._read_s()):
            return
        try:
            process = self._start(row)
        except OSError as error:
            self._backoff.note_death(self._read_s(), 0)
            self._message = f"its host starts no more processes ({error.strerror}); free memory or processes there"
        else:
            self._coming = _Running(process, row.revision, self._read_s())

    def _switch(self) -> None:
        """Let the process that followed serve, as soon as it is ready."""
        if self._coming is not None and self._coming.process.is_ready:
            self._dismiss_serving()
            self._serving, self._coming = self._coming, None

    def _dismiss_serving(self) -> None:
        if self._serving is not None:
            self._leaving.append(_Leaving(self._serving.process))
            self._serving = None

    def _dismiss_coming(self) -> None:
        if self._coming is not None:
            # Nobody was told of it.
            self._leaving.append(_Leaving(self._coming.process, ask_at_s=self._read_s()))
            self._coming = None

    def _see_off(self, row: Deployment) -> None:
        """Ask those to end whose address nobody may know any more, and kill those that had their time."""
        now_s = self._read_s()
        self._leaving = [one for one in self._leaving if one.process.ended is None]
        for one in self._leaving:
            if one.ask_at_s is None and row.address != one.process.address:
                one.ask_at_s = now_s + self._pace.linger_s
            if one.kill_at_s is None and one.ask_at_s is not None and now_s >= one.ask_at_s:
                one.process.ask_to_end()
                one.kill_at_s = now_s + (self._pace.drain_s if one.grace_s is None else one.grace_s)
            elif one.kill_at_s is not None and now_s >= one.kill_at_s:
                one.process.kill()


def find_goal(row: Deployment, now: datetime) -> DeploymentState | None:
    """What a deployment is to become that is not to run; None if it is to run."""
    is_over = row.expires is not None and row.expires <= now
    if row.wish in {DeploymentWish.DELETE, DeploymentWish.EXPIRE} or is_over:
        return DeploymentState.EXPIRED
    return DeploymentState.PAUSED if row.wish is DeploymentWish.PAUSE else None
