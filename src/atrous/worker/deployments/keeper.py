"""A keeper: brings the deployments of this host, again and again, to what the store says they are to be."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial, reduce
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from atrous.core.errors import ConflictError, StorageError, UnavailableError
from atrous.worker.deployments.kept import Kept
from atrous.worker.deployments.launch import plan_launch
from atrous.worker.deployments.log_lines import LogLines
from atrous.worker.deployments.pace import DEFAULT_PACE, Pace
from atrous.worker.deployments.process import ServerProcess
from atrous.worker.deployments.shares import Shares
from atrous.workspace.deployment import Deployment, DeploymentReport, DeploymentState, DeploymentWish
from atrous.workspace.machine_types import find_shortage, subtract

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from atrous.worker.deployments.launch import Launch
    from atrous.workspace.machine_types import Machine, MachineType
    from atrous.workspace.ports import Ports

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

HOST_LENGTH = 32
KEPT_LINES = 10_000
# Of the lease, after which its deployments are let go if the store cannot be asked: others may take them soon.
HOLD_SHARE = 0.8
END_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """What a keeper keeps, and how.

    Attributes:
        types: machine types by name.
        machine: what this host has.
        cores: numbers of those that deployments are spread over.
        host: address that their servers listen on.
        options: settings of the shared server that its command line says.
        launch: how the server of a deployment is started.
    """

    types: Mapping[str, MachineType]
    machine: Machine
    cores: Sequence[int]
    host: str
    options: Mapping[str, Any]
    pace: Pace = DEFAULT_PACE
    launch: Callable[..., Launch] = plan_launch


@dataclass(slots=True)
class _Held:
    """A deployment in hand, as it was seen last."""

    row: Deployment
    kept: Kept
    lines: LogLines


class Keeper:
    """Runs until it is asked to end, and then gives its deployments up for others to take."""

    def __init__(self, ports: Ports, plan: Plan) -> None:
        self._store = ports.store
        self._clock = ports.clock
        self._plan = plan
        self._pace = plan.pace
        self._owner = f"{socket.gethostname()[:HOST_LENGTH]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._cores = Shares(plan.cores)
        self._gpus = Shares(range(plan.machine.gpus))
        self._held: dict[str, _Held] = {}
        self._lost: list[tuple[Kept, float]] = []
        # May be put into by whoever handles a signal, unlike most else.
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._hold_until_s = 0.0
        self._looks = 0
        self._is_ending = False

    def ask_to_end(self) -> None:
        """Let all deployments finish what they began, give them up, and return from `run`."""
        self._is_ending = True
        self._wake()

    def run(self) -> None:
        """Keep deployments until asked to end."""
        while not self._is_ending:
            self._look()
            self._see_off_lost()
            self._wait(self._pace.poll_s)
        self._end()

    def _look(self) -> None:
        asked_s = time.monotonic()
        rows = _try(self._claim)
        if rows is None:
            if time.monotonic() > self._hold_until_s:
                for name in tuple(self._held):
                    self._lose(name)
            return
        self._hold_until_s = asked_s + HOLD_SHARE * self._pace.lease_s
        for name in self._held.keys() - {row.name for row in rows}:
            self._lose(name)
        if len(rows) > len(self._held):
            # There may be more to take.
            self._wake()
        for row in rows:
            _try(self._tend, row)

    def _claim(self) -> list[Deployment]:
        """One more at a time, so that hosts share them."""
        self._looks += 1
        types = self._list_offers(is_spare=self._looks % self._pace.spare_every == 0)
        return self._store.claim_deployments(self._owner, types, self._clock.now(), self._after_lease(), limit=1)

    def _list_offers(self, *, is_spare: bool) -> list[str]:
        """The machine types of which there is room for one more; at times, what no other host has taken either."""
        taken = [self._plan.types[held.row.machine_type] for held in self._held.values()]
        free = reduce(subtract, taken, self._plan.machine)
        if is_spare:
            free = replace(free, threads=sys.maxsize, memory_bytes=sys.maxsize)
        return [name for name, one in self._plan.types.items() if not find_shortage(one, free)]

    def _tend(self, row: Deployment) -> None:
        held = self._held.get(row.name) or self._take(row)
        held.row = row
        report = held.kept.reconcile(row, self._clock.now())
        if _differs(report, row):
            _note(held, report, self._clock.now())
        self._write_log(held)
        try:
            self._tell(held, report)
        except ConflictError:
            self._lose(row.name)
            raise

    def _take(self, row: Deployment) -> _Held:
        lines = LogLines(self._clock)
        kept = Kept(partial(self._start, lines), self._pace)
        held = self._held[row.name] = _Held(row, kept, lines)
        return held

    def _start(self, lines: LogLines, row: Deployment) -> ServerProcess:
        machine = self._plan.types[row.machine_type]
        launch = self._plan.launch(
            row,
            machine,
            host=self._plan.host,
            options=self._plan.options,
            cores=self._cores.lend(row.name, machine.threads),
            gpus=self._gpus.lend(row.name, machine.gpus),
        )
        return ServerProcess(launch, lines, self._pace, self._wake)

    def _tell(self, held: _Held, report: DeploymentReport) -> None:
        """Tell what changed; give up, or forget, what is over."""
        row = held.row
        is_expired = report.state is DeploymentState.EXPIRED
        if is_expired and (row.wish is DeploymentWish.DELETE or row.delete_on_expiration):
            self._store.remove_deployment(row.name, self._owner)
            self._forget(row.name)
        elif is_expired or report.state is DeploymentState.PAUSED:
            self._report(row, report, None)
            self._forget(row.name)
        elif _differs(report, row):
            self._report(row, report, self._after_lease())

    def _write_log(self, held: _Held) -> None:
        entries = held.lines.take()
        if entries and _try(self._write_entries, held.row.name, entries) is None:
            held.lines.put_back(entries)

    def _write_entries(self, name: str, entries: Sequence[Any]) -> bool:
        self._store.add_log_entries(name, entries, keep=KEPT_LINES)
        return True

    def _lose(self, name: str) -> None:
        """Another host may keep it now."""
        held = self._forget(name)
        logger.warning("deployment lost: %s", name, extra={"deployment": name})
        held.kept.ask_all_to_end()
        self._lost.append((held.kept, time.monotonic() + self._pace.drain_s))

    def _see_off_lost(self) -> None:
        for kept, kill_at_s in self._lost:
            if time.monotonic() >= kill_at_s:
                kept.kill_all()
        self._lost = [(kept, kill_at_s) for kept, kill_at_s in self._lost if not kept.has_ended()]

    def _forget(self, name: str) -> _Held:
        self._cores.give_back(name)
        self._gpus.give_back(name)
        return self._held.pop(name)

    def _end(self) -> None:
        end_at_s = time.monotonic() + self._pace.end_s
        for held in self._held.values():
            _try(self._report, held.row, _told_at_end(held.row), self._after_lease())
            held.kept.ask_all_to_end()
        while self._held:
            is_late = time.monotonic() >= end_at_s
            for held in tuple(self._held.values()):
                # Those that are late end by themselves, as nobody will hold their standard input any more.
                if is_late or held.kept.has_ended():
                    _try(self._give_up, held)
                    self._forget(held.row.name)
            time.sleep(END_POLL_S)

    def _give_up(self, held: _Held) -> None:
        self._write_log(held)
        self._report(held.row, _told_at_end(held.row), None)

    def _report(self, row: Deployment, report: DeploymentReport, until: datetime | None) -> None:
        self._store.report_deployment(row.name, self._owner, report, self._clock.now(), until)

    def _wake(self) -> None:
        self._calls.put(None)

    def _wait(self, seconds: float) -> None:
        try:
            self._calls.get(timeout=seconds)
            while True:
                self._calls.get_nowait()
        except Empty:
            return

    def _after_lease(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._pace.lease_s)


def _told_at_end(row: Deployment) -> DeploymentReport:
    """What a deployment is whose host ends: to be started by another one."""
    return DeploymentReport(DeploymentState.PENDING, restarts=row.restarts)


def _differs(report: DeploymentReport, row: Deployment) -> bool:
    told = DeploymentReport(row.state, row.message, row.address, row.served_revision, row.restarts)
    return report != told


def _note(held: _Held, report: DeploymentReport, now: datetime) -> None:
    """What becomes of a deployment stands in its log too."""
    row = held.row
    if (report.state, report.message) == (row.state, row.message):
        return
    sentence = f"deployment {row.name}: {report.state}" + (f": {report.message}" if report.message else "")
    logger.info("%s", sentence, extra={"deployment": row.name})
    time_text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {"time": time_text, "level": "INFO", "logger": __name__, "message": sentence}
    held.lines.add(json.dumps(record, separators=(",", ":"), ensure_ascii=False))


def _try(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Do something with the store; what fails is said, tried again later, and None given."""
    try:
        return act(*args, **kwargs)
    except (ConflictError, StorageError, UnavailableError) as error:
        logger.warning("deployments: %s", error)
        return None
