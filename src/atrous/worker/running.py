"""A worker: takes jobs from the queue and holds each, while a process of its own does it, until it has ended."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from atrous.core.errors import ConflictError, StorageError, UnavailableError
from atrous.worker.chores import do_chores, start_chores
from atrous.worker.ledger import DEFAULT_PACE, Ledger, Pace
from atrous.worker.messages import Done, Failed, Hold, Stopped, Task
from atrous.worker.process import JobProcess
from atrous.workspace.records import JobKind, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from atrous.worker.watch import Work
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

TICK_S = 0.2
# Of the lease, for which a job's process goes on without a word: it is to end before another worker may begin.
HOLD_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker does and where.

    Attributes:
        jobs: the function of each kind that it takes.
        home: its folders `runs` and `jobs` hold what jobs keep between two runs.
        open_ports, set_up: for the jobs' processes, see Task; picklable.
        slots: jobs at a time, of trainings and of the others each: a training of hours keeps no short job waiting.
    """

    jobs: Mapping[JobKind, Work]
    home: Path
    open_ports: Callable[[], Ports]
    set_up: Callable[[], None]
    slots: int = 1
    pace: Pace = DEFAULT_PACE


@dataclass(slots=True)
class _Held:
    """A job in hand; times by `time.monotonic`."""

    job: Job
    process: JobProcess
    renew_at_s: float
    lease_until_s: float

    @property
    def is_training(self) -> bool:
        return self.job.kind is JobKind.TRAIN


class Worker:
    """Runs until it is asked to end, and then gives back what is not done."""

    def __init__(self, ports: Ports, plan: Plan) -> None:
        self._ports = ports
        self._plan = plan
        self._pace = plan.pace
        self._ledger = Ledger(ports, plan.home, plan.pace)
        self._held: list[_Held] = []
        self._claim_at_s = 0.0
        self._retry_until_s = 0.0
        self._end_at_s: float | None = None

    def ask_to_end(self) -> None:
        """Take no more jobs, let those in hand write a checkpoint, and put them back into the queue."""
        if self._end_at_s is None:
            self._end_at_s = time.monotonic() + self._pace.grace_s

    def run(self, *, once: bool = False) -> None:
        """Take jobs until asked to end, or once until there are none."""
        do_chores(self._ports)
        start_chores(self._ports)
        while self._end_at_s is None:
            self._claim()
            if once and not self._held and time.monotonic() > self._retry_until_s:
                return
            self._wait()
            self._tend()
        for held in self._held:
            held.process.ask(Wish.PAUSE)
        while self._held and time.monotonic() < self._end_at_s:
            self._wait()
            self._tend()
        for held in tuple(self._held):
            self._let_go(held)
            _record(self._ledger.give_back, held.job)

    def _claim(self) -> None:
        if time.monotonic() < self._claim_at_s:
            return
        self._claim_at_s = time.monotonic() + self._pace.poll_s
        for is_training in (True, False):
            kinds = [kind for kind in self._plan.jobs if (kind is JobKind.TRAIN) is is_training]
            while kinds and sum(held.is_training is is_training for held in self._held) < self._plan.slots:
                if not _record(self._claim_one, kinds):
                    break

    def _claim_one(self, kinds: Sequence[JobKind]) -> bool:
        asked_s = time.monotonic()
        job = self._ledger.claim(kinds)
        if job is None:
            return False
        if job.wish is Wish.CANCEL:
            self._ledger.record_cancelled(job)
        elif obstacle := self._ledger.find_obstacle(job):
            self._ledger.record_failed(job, obstacle)
        else:
            self._start(job, asked_s)
        return True

    def _start(self, job: Job, asked_s: float) -> None:
        logger.info("job started: %s %s", job.kind, job.subject, extra={"job": job.id, "attempt": job.attempts})
        folder = self._ledger.find_folder(job)
        task = Task(self._plan.set_up, self._plan.open_ports, self._plan.jobs[job.kind], job, folder)
        try:
            process = JobProcess(task, self._hold_from(asked_s))
        except OSError as error:
            self._retry_until_s = time.monotonic() + self._ledger.record_death(job, f"cannot be started ({error})")
            return
        if job.wish:
            process.ask(job.wish)
        self._held.append(_Held(job, process, asked_s + self._pace.renew_s, asked_s + self._pace.lease_s))

    def _wait(self) -> None:
        connections = [held.process.connection for held in self._held]
        if connections:
            wait(connections, TICK_S)
        else:
            time.sleep(self._pace.poll_s)

    def _tend(self) -> None:
        for held in tuple(self._held):
            is_alive = held.process.read()
            is_due = time.monotonic() >= held.renew_at_s
            if is_due or not is_alive or held.process.outcome is not None:
                _record(self._settle, held, is_alive)
            if held in self._held and time.monotonic() > held.lease_until_s:
                self._lose(held)

    def _settle(self, held: _Held, is_alive: bool) -> None:
        """Renew the lease, and record the end if there is one; is tried again where the store fails."""
        wish = self._renew(held)
        if held.process.outcome is not None:
            self._record_outcome(held, wish)
            self._let_go(held)
        elif wish is Wish.CANCEL:
            self._let_go(held)
            self._ledger.record_cancelled(held.job)
        elif not is_alive:
            self._let_go(held)
            pause_s = self._ledger.record_death(held.job, held.process.end())
            self._retry_until_s = time.monotonic() + pause_s + 2 * self._pace.poll_s
        elif wish and self._end_at_s is None:
            held.process.ask(wish)

    def _renew(self, held: _Held) -> Wish | None:
        asked_s = time.monotonic()
        try:
            wish = self._ledger.renew(held.job, held.process.progress)
        except ConflictError:
            self._lose(held)
            raise
        held.renew_at_s, held.lease_until_s = asked_s + self._pace.renew_s, asked_s + self._pace.lease_s
        held.process.hold(self._hold_from(asked_s))
        return wish

    def _record_outcome(self, held: _Held, wish: Wish | None) -> None:
        match held.process.outcome:
            case Done(result):
                self._ledger.record_done(held.job, result)
            case Failed(sentence):
                self._ledger.record_failed(held.job, sentence)
            case Stopped() if self._end_at_s is not None and wish is not Wish.CANCEL:
                self._ledger.give_back(held.job)
            case Stopped() if wish is not None:
                self._ledger.record_cancelled(held.job)
            case Stopped(sentence):
                self._ledger.record_failed(held.job, sentence)
            case None:
                raise AssertionError(held.job)

    def _lose(self, held: _Held) -> None:
        logger.warning("job lost: %s %s", held.job.kind, held.job.subject, extra={"job": held.job.id})
        self._let_go(held)

    def _let_go(self, held: _Held) -> None:
        """End the process of a job, and be free for another one."""
        held.process.end()
        self._held.remove(held)
        self._claim_at_s = 0.0

    def _hold_from(self, asked_s: float) -> Hold:
        return Hold(asked_s + HOLD_SHARE * self._pace.lease_s)


def _record(record: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Do something with the queue; what fails is said, and None given."""
    try:
        return record(*args, **kwargs)
    except (ConflictError, StorageError, UnavailableError) as error:
        logger.warning("queue: %s", error)
        return None
