"""The processes of one deployment, step by step, on a watch that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from atrous.worker.deployments.ended import Ended
from atrous.worker.deployments.kept import GRACE_OF_GREEDY_S, Kept
from atrous.worker.deployments.pace import Pace
from atrous.workspace.deployment import Deployment, DeploymentReport, DeploymentState, DeploymentWish

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = Deployment("road-cam", "acme", "small", "", NOW, ("road/1",))
PACE = Pace()


@dataclass
class FakeProcess:
    address: str
    is_ready: bool = False
    is_hung: bool = False
    ended: Ended | None = None
    excess_bytes: int = 0
    told: list[str] = field(default_factory=list)

    def ask_to_end(self) -> None:
        self.told.append("end")

    def kill(self) -> None:
        self.told.append("kill")
        self.ended = Ended(-9)


class World:
    """A deployment whose row always says what was told of it last."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.is_full = False
        self.processes: list[FakeProcess] = []
        self.row = ROW
        self.kept = Kept(self._start, PACE, lambda: self.now_s)

    def _start(self, _row: Deployment) -> FakeProcess:
        if self.is_full:
            raise OSError(11, "Resource temporarily unavailable")
        self.processes.append(FakeProcess(f"http://host:{len(self.processes)}"))
        return self.processes[-1]

    def step(self, after_s: float = 0) -> DeploymentReport:
        self.now_s += after_s
        told = self.kept.reconcile(self.row, NOW)
        self.row = replace(
            self.row,
            state=told.state,
            message=told.message,
            address=told.address,
            served_revision=told.served_revision,
            restarts=told.restarts,
        )
        return told

    def start(self) -> FakeProcess:
        """Start a process and give it, once it serves."""
        self.step()
        self.processes[-1].is_ready = True
        assert self.step().state is DeploymentState.READY
        return self.processes[-1]

    def die(self) -> None:
        self.processes[-1].ended = Ended(-9, "GET /")

    def count_until_next(self) -> float:
        """Seconds until another process is started."""
        count, waited_s = len(self.processes), 0.0
        while len(self.processes) == count:
            self.step(0.5)
            waited_s += 0.5
        return waited_s


@pytest.fixture
def world() -> World:
    return World()


def test_a_process_that_dies_again_and_again_is_started_ever_later_up_to_a_minute(world: World) -> None:
    world.step()
    pauses_s: list[float] = []
    for _ in range(9):
        world.die()
        told = world.step()
        assert told.state is DeploymentState.PENDING
        pauses_s.append(world.count_until_next())
    assert pauses_s == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert world.row.restarts == 9


def test_after_a_life_of_a_minute_the_pauses_begin_anew(world: World) -> None:
    world.start()
    for lived_s, pause_s in ((10, 1), (10, 2), (PACE.steady_s, 1), (0, 2)):
        world.step(lived_s)
        world.die()
        world.step()
        assert world.count_until_next() == pause_s


def test_a_change_of_models_waits_for_no_pause(world: World) -> None:
    world.step()
    world.die()
    world.step()
    world.row = replace(world.row, revision=2)
    world.step()
    assert len(world.processes) == 2


def test_the_one_before_ends_only_after_the_new_address_has_been_told_for_a_while(world: World) -> None:
    before = world.start()
    world.row = replace(world.row, revision=2)
    assert world.step(100).address == before.address
    world.processes[1].is_ready = True
    row_before = world.row
    assert world.step().address == world.processes[1].address
    # The store did not take the report.
    world.row = row_before
    world.step(100)
    world.step()
    assert before.told == []
    world.step(PACE.linger_s)
    assert before.told == ["end"]
    world.step(PACE.drain_s)
    assert before.told == ["end", "kill"]


def test_there_are_never_more_than_two_processes(world: World) -> None:
    before = world.start()
    world.row = replace(world.row, revision=2)
    world.step()
    world.processes[1].is_ready = True
    world.row = replace(world.row, revision=3)
    world.step()
    world.step()
    assert len(world.processes) == 2
    before.ended = Ended(0)
    world.step()
    assert len(world.processes) == 3


def test_a_process_that_was_not_ready_yet_makes_way_for_newer_models(world: World) -> None:
    world.step()
    world.row = replace(world.row, revision=2)
    world.step()
    world.step()
    assert world.processes[0].told == ["end"]
    assert len(world.processes) == 1
    world.processes[0].ended = Ended(0)
    world.step()
    assert len(world.processes) == 2


def test_a_pause_is_told_only_when_no_process_is_left(world: World) -> None:
    process = world.start()
    world.row = replace(world.row, wish=DeploymentWish.PAUSE)
    told = world.step()
    assert (told.state, told.address) == (DeploymentState.PENDING, "")
    world.step()
    world.step(PACE.linger_s)
    assert process.told == ["end"]
    assert world.step(1).state is DeploymentState.PENDING
    process.ended = Ended(0)
    told = world.step()
    assert (told.state, told.message) == (DeploymentState.PAUSED, "")
    assert world.kept.is_empty


def test_one_that_is_to_run_again_while_it_is_being_stopped_waits_for_that(world: World) -> None:
    process = world.start()
    world.row = replace(world.row, wish=DeploymentWish.PAUSE)
    world.step()
    world.row = replace(world.row, wish=DeploymentWish.RUN)
    assert world.step().message == ""
    assert len(world.processes) == 1
    process.ended = Ended(0)
    world.step()
    assert len(world.processes) == 2


def test_a_process_that_takes_too_much_memory_has_a_few_seconds_to_end(world: World) -> None:
    process = world.start()
    process.excess_bytes = 5 * 2**20
    told = world.step()
    assert "took 6 MiB more memory than its machine type gives" in told.message
    assert (told.state, told.address, told.restarts) == (DeploymentState.PENDING, "", 1)
    assert process.told == ["end"]
    world.step(GRACE_OF_GREEDY_S)
    assert process.told == ["end", "kill"]
    world.step()
    assert len(world.processes) == 2


def test_a_process_that_answers_no_more_is_killed(world: World) -> None:
    world.start().is_hung = True
    assert "answered no more" in world.step().message
    assert world.processes[0].told == ["kill"]


def test_a_process_that_never_becomes_ready_is_killed(world: World) -> None:
    world.step()
    assert "never became ready" in world.step(PACE.start_s + 1).message
    assert world.processes[0].told == ["kill"]


def test_a_host_that_starts_no_more_processes_says_so_and_tries_again(world: World) -> None:
    world.is_full = True
    assert "starts no more processes (Resource temporarily unavailable)" in world.step().message
    world.is_full = False
    world.step(1)
    assert len(world.processes) == 1


@pytest.mark.parametrize("code", [1, 6, 8, 0, -11])
def test_an_end_that_may_have_a_passing_cause_is_no_failure(world: World, code: int) -> None:
    world.step()
    world.processes[0].ended = Ended(code, "error: the database cannot be reached")
    assert world.step().state is DeploymentState.PENDING
    assert world.count_until_next() == 1


@pytest.mark.parametrize("code", [2, 3, 7, 9])
def test_an_end_that_says_why_it_cannot_run_is_a_failure_for_good(world: World, code: int) -> None:
    world.step()
    world.processes[0].ended = Ended(code, "error: model 'road/1': not found")
    told = world.step()
    assert (told.state, told.message) == (DeploymentState.FAILED, "model 'road/1': not found")
    assert world.step(9999) == told
    assert len(world.processes) == 1


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        (-9, "", "was ended by SIGKILL"),
        (1, "boom", "ended with code 1; its last line: boom"),
        (0, '{"message":"bye","level":"INFO"}', "ended with code 0; its last line: bye"),
        (1, "[1, 2]", "ended with code 1; its last line: [1, 2]"),
    ],
)
def test_an_end_is_told_in_words(code: int, line: str, said: str) -> None:
    assert Ended(code, line).describe() == said
