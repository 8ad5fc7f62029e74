"""A home with jobs, and workers that do them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.ports import _empty_database
from tests.worker.works import be_silent, do_as_told, open_nothing

from atrous.adapters.home import open_home
from atrous.worker.ledger import Pace
from atrous.worker.running import Plan, Worker
from atrous.workspace.jobs import add_job
from atrous.workspace.records import Job, JobKind, JobState, Training, TrainingState, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

WORKSPACE = "acme"
LONG_S = 30
# As by default, but for tests that have to wait for each of these.
PACE = Pace(lease_s=2, renew_s=0.1, poll_s=0.05, grace_s=3, attempts=3, pause_s=0.1)
ROOT = Path(__file__).parents[2]


def make_plan(home: Path, pace: Pace) -> Plan:
    return Plan(dict.fromkeys(JobKind, do_as_told), home, open_nothing, be_silent, pace=pace)


@dataclass
class Place:
    """A home with a workspace, its workers, and what their jobs have done."""

    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home, self.journal = self.folder / "home", self.folder / "journal"
        self.home.mkdir(mode=0o700)
        (self.home / "atrous.db").write_bytes(_empty_database())
        self.ports = open_home(self.home)
        self.ports.store.add_workspace(WORKSPACE)
        self.journal.touch()

    def add(self, steps: int = 3, kind: JobKind = JobKind.EXPORT, subject: str = "road/1", **told: Any) -> Job:
        payload = {"steps": steps, "journal": str(self.journal)} | told
        return add_job(self.ports, kind, WORKSPACE, subject, payload)

    def add_training(self, steps: int = 3, **told: Any) -> tuple[Training, Job]:
        """A training of a version that is not there, done by a job of this file's kind."""
        now = self.ports.clock.now()
        training = Training("0123abcd", WORKSPACE, "road", 1, {}, TrainingState.QUEUED, now)
        self.ports.store.add_training(training)
        payload = {"steps": steps, "journal": str(self.journal)} | told
        job = Job("train-0123abcd", WORKSPACE, JobKind.TRAIN, training.id, now, payload)
        self.ports.queue.add_job(job)
        return training, job

    def find(self, job: Job) -> Job:
        found = self.ports.queue.find_job(WORKSPACE, job.id)
        assert found is not None
        return found

    def wait_for(self, job: Job, state: JobState) -> Job:
        """The job, once it is in this state."""
        wait_until(lambda: self.find(job).state is state)
        return self.find(job)

    def wait_for_steps(self, job: Job, steps: int = 3) -> int:
        """The process that works on a job, once there are so many steps."""
        wait_until(lambda: len(self.lines(job)) >= steps)
        return self.pids(job)[-1]

    def ask(self, job: Job, wish: Wish) -> None:
        assert self.ports.queue.ask_job(WORKSPACE, job.id, wish, self.ports.clock.now())

    def work(self, pace: Pace = PACE) -> None:
        """Do all that is queued, with a worker in this process."""
        Worker(self.ports, make_plan(self.home, pace)).run(once=True)

    def start_worker(self, pace: Pace = PACE) -> subprocess.Popen[bytes]:
        """A worker in a process of its own, until SIGTERM."""
        command = [sys.executable, "-m", "tests.worker.place", str(self.home), *map(str, astuple(pace))]
        worker = subprocess.Popen(command, cwd=ROOT)
        self.workers.append(worker)
        return worker

    def lines(self, job: Job | None = None) -> list[tuple[str, int, int]]:
        """What jobs wrote: id, pid, step."""
        rows = (line.split() for line in self.journal.read_text().splitlines())
        return [(name, int(pid), int(step)) for name, pid, step in rows if job is None or name == job.id]

    def pids(self, job: Job) -> list[int]:
        """The processes that worked on a job, in order."""
        return list(dict.fromkeys(pid for _, pid, _ in self.lines(job)))

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()


def wait_until(fact: Callable[[], Any], seconds: float = LONG_S) -> None:
    deadline_s = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline_s, "does not come true"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process is there; one that is dead and not yet waited for is not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def main() -> None:
    home, lease_s, renew_s, poll_s, grace_s, attempts, pause_s = sys.argv[1:]
    pace = Pace(float(lease_s), float(renew_s), float(poll_s), float(grace_s), int(attempts), float(pause_s))
    worker = Worker(open_home(Path(home)), make_plan(Path(home), pace))
    signal.signal(signal.SIGTERM, lambda *_: worker.ask_to_end())
    worker.run()


if __name__ == "__main__":
    main()
