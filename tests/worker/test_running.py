"""Workers, the processes of their jobs, and what becomes of both when they are killed."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from tests.worker.place import PACE, WORKSPACE, Place, is_alive, wait_until

from atrous.worker.ledger import DEFAULT_PACE
from atrous.workspace.records import JobKind, JobState, TrainingState, Wish
from atrous.workspace.trainings import cancel_training, find_training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.workspace.records import Job

# Steps of a job that nobody waits for to end by itself.
ENDLESS = 100_000


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.end()


def is_one_at_a_time(place: Place, job: Job) -> bool:
    """Whether no two processes worked on a job in turns."""
    turns = [pid for pid, _ in groupby(pid for _, pid, _ in place.lines(job))]
    return len(turns) == len(set(turns))


def steps_of(place: Place, job: Job) -> list[int]:
    return [step for _, _, step in place.lines(job)]


def test_a_job_ends_with_its_result_or_its_sentence(place: Place) -> None:
    good, bad, broken = place.add(), place.add(fails_at=1), place.add(breaks_at=1)
    place.work()
    done = place.find(good)
    assert (done.state, done.result, done.error) == (JobState.DONE, {"steps": 3}, None)
    assert done.progress == {"done": 3, "total": 3}
    assert done.started is not None
    assert done.ended is not None
    failed = place.find(bad)
    assert (failed.state, failed.error) == (JobState.FAILED, "the third picture: is none; remove it")
    fault = place.find(broken)
    assert fault.state is JobState.FAILED
    assert "RuntimeError" in (fault.error or "")
    assert "a fault\n" not in (fault.error or "")
    assert not list(place.home.glob("jobs/*"))


def test_a_short_job_does_not_wait_for_a_training(place: Place) -> None:
    training = place.add(ENDLESS, JobKind.TRAIN, "t1")
    place.start_worker()
    place.wait_for_steps(training)
    place.wait_for(place.add(), JobState.DONE)
    assert place.find(training).state is JobState.RUNNING


def test_jobs_of_one_kind_are_done_in_their_order(place: Place) -> None:
    jobs = [place.add(2) for _ in range(3)]
    place.work()
    assert [name for name, _ in groupby(name for name, _, _ in place.lines())] == [job.id for job in jobs]


def test_a_job_whose_process_was_killed_goes_on_where_it_was(place: Place) -> None:
    job = place.add(60)
    place.start_worker()
    os.kill(place.wait_for_steps(job), signal.SIGKILL)
    place.wait_for(job, JobState.DONE)
    assert len(place.pids(job)) == 2
    assert sorted(set(steps_of(place, job))) == list(range(60))
    # Killed between the step and the note of it, it repeats one.
    assert len(steps_of(place, job)) <= 61


def test_a_job_that_kills_its_process_each_time_is_given_up(place: Place) -> None:
    job = place.add(dies_at=2, keeps=False)
    place.work()
    given_up = place.find(job)
    assert given_up.state is JobState.FAILED
    assert "its process was ended by SIGKILL again and again" in (given_up.error or "")
    assert len(place.pids(job)) == PACE.attempts


def test_a_killed_workers_job_dies_with_it_and_is_taken_up_by_another(place: Place) -> None:
    job = place.add(150)
    worker = place.start_worker()
    pid = place.wait_for_steps(job)
    place.start_worker()
    worker.kill()
    wait_until(lambda: not is_alive(pid), seconds=2)
    place.wait_for(job, JobState.DONE)
    assert len(place.pids(job)) == 2
    assert is_one_at_a_time(place, job)
    assert sorted(set(steps_of(place, job))) == list(range(150))


def test_a_job_killed_with_its_worker_is_taken_up_by_another(place: Place) -> None:
    job = place.add(60)
    worker = place.start_worker()
    pid = place.wait_for_steps(job)
    worker.kill()
    os.kill(pid, signal.SIGKILL)
    place.start_worker()
    place.wait_for(job, JobState.DONE)
    assert sorted(set(steps_of(place, job))) == list(range(60))


def test_a_worker_that_was_frozen_finds_its_job_with_another_and_lets_go(place: Place) -> None:
    job = place.add(300)
    frozen = place.start_worker()
    pid = place.wait_for_steps(job)
    frozen.send_signal(signal.SIGSTOP)
    place.start_worker()
    wait_until(lambda: len(place.pids(job)) == 2)
    # Before another may begin, the first one's process has ended by itself.
    assert not is_alive(pid)
    frozen.send_signal(signal.SIGCONT)
    assert place.wait_for(job, JobState.DONE).result == {"steps": 300}
    assert is_one_at_a_time(place, job)
    assert len(place.pids(job)) == 2


def test_two_workers_share_the_jobs_and_never_one(place: Place) -> None:
    jobs = [place.add(5) for _ in range(6)]
    for _ in range(2):
        place.start_worker()
    for job in jobs:
        place.wait_for(job, JobState.DONE)
        assert steps_of(place, job) == list(range(5))


def test_a_worker_asked_to_end_gives_its_job_back(place: Place) -> None:
    job = place.add(100)
    worker = place.start_worker()
    place.wait_for_steps(job)
    worker.terminate()
    assert worker.wait(10) == 0
    given = place.find(job)
    assert (given.state, given.attempts, given.owner) == (JobState.QUEUED, 0, "")
    place.work()
    assert steps_of(place, job) == list(range(100))


def test_a_job_that_does_not_listen_is_given_back_after_a_grace(place: Place) -> None:
    job = place.add(ENDLESS, deaf=True)
    worker = place.start_worker(replace(PACE, grace_s=0.5))
    pid = place.wait_for_steps(job)
    worker.terminate()
    assert worker.wait(10) == 0
    assert not is_alive(pid)
    assert place.find(job).state is JobState.QUEUED


def test_a_cancelled_job_ends_within_two_seconds_even_if_it_does_not_listen(place: Place) -> None:
    job = place.add(ENDLESS, deaf=True)
    place.start_worker(DEFAULT_PACE)
    pid = place.wait_for_steps(job)
    asked_s = time.monotonic()
    place.ask(job, Wish.CANCEL)
    wait_until(lambda: not is_alive(pid))
    place.wait_for(job, JobState.CANCELLED)
    assert time.monotonic() - asked_s < 2
    assert not list(place.home.glob("jobs/*"))


def test_a_cancelled_training_leaves_its_row_alone(place: Place) -> None:
    training, job = place.add_training(ENDLESS)
    place.start_worker()
    place.wait_for_steps(job)
    assert list(place.home.glob("runs/*"))
    assert cancel_training(place.ports, training).state is TrainingState.QUEUED
    place.wait_for(job, JobState.CANCELLED)
    assert find_training(place.ports, WORKSPACE, training.id).state is TrainingState.CANCELLED
    assert not list(place.home.glob("runs/*"))


def test_a_training_whose_process_dies_each_time_has_failed(place: Place) -> None:
    training, job = place.add_training(dies_at=1, keeps=False)
    place.work()
    failed = find_training(place.ports, WORKSPACE, training.id)
    assert (failed.state, failed.error) == (TrainingState.FAILED, place.find(job).error)


def test_a_stopped_job_is_asked_to_end(place: Place) -> None:
    job = place.add(ENDLESS)
    place.start_worker()
    place.wait_for_steps(job)
    place.ask(job, Wish.STOP)
    assert place.wait_for(job, JobState.CANCELLED).error is None


def test_a_job_cancelled_while_nobody_holds_it_is_not_done_any_more(place: Place) -> None:
    job = place.add(ENDLESS)
    worker = place.start_worker()
    place.wait_for_steps(job)
    worker.kill()
    place.ask(job, Wish.CANCEL)
    place.ask(job, Wish.STOP)
    place.start_worker()
    place.wait_for(job, JobState.CANCELLED)
    assert len(place.pids(job)) == 1


def test_a_queued_job_is_cancelled_at_once(place: Place) -> None:
    job = place.add()
    place.ask(job, Wish.CANCEL)
    place.work()
    assert place.find(job).state is JobState.CANCELLED
    assert place.lines() == []
    assert place.ports.queue.ask_job(WORKSPACE, job.id, Wish.CANCEL, place.ports.clock.now()) is None
