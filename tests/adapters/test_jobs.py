"""What workers ask of a queue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.adapters.rows import NOON, later
from tests.fakes.ports import open_new_sqlite
from tests.fakes.postgres import open_postgres_for_test

from atrous.core.errors import ConflictError
from atrous.workspace.records import Job, JobKind, JobState, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.workspace.ports import Queue

KINDS = tuple(JobKind)
LEASE_S = 15


@pytest.fixture(params=["sqlite", "postgres"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    """A queue with the workspaces `acme` and `other`."""
    opened = open_new_sqlite(tmp_path) if request.param == "sqlite" else open_postgres_for_test()
    opened.add_workspace("acme")
    opened.add_workspace("other")
    yield opened
    opened._engine.dispose()


def add(queue: Queue, job_id: str = "j1", kind: JobKind = JobKind.EXPORT, workspace: str = "acme") -> Job:
    job = Job(job_id, workspace, kind, "road/1:coco", NOON, {"names": ["ü", None, 1.5]})
    queue.add_job(job)
    return job


def claim(queue: Queue, owner: str = "first", at_s: int = 0) -> Job | None:
    return queue.claim_job(owner, KINDS, later(at_s), later(at_s + LEASE_S))


def renew(queue: Queue, owner: str = "first", at_s: int = 1, done: int | None = None) -> Wish | None:
    progress = None if done is None else {"done": done, "total": 9}
    return queue.renew_lease("j1", owner, later(at_s + LEASE_S), progress)


def find(queue: Queue, job_id: str = "j1") -> Job:
    found = queue.find_job("acme", job_id)
    assert found is not None
    return found


def test_a_job_comes_back_as_it_was_put_in_and_only_in_its_workspace(queue: Queue) -> None:
    job = add(queue)
    assert find(queue) == job
    assert queue.find_job("other", job.id) is None


def test_jobs_are_listed_by_workspace_kind_and_subject_oldest_first(queue: Queue) -> None:
    first, second = add(queue, "zz"), add(queue, "aa")
    training, theirs = add(queue, "t", JobKind.TRAIN), add(queue, "o", workspace="other")
    assert queue.list_jobs("acme", JobKind.EXPORT, "road/1:coco") == [first, second]
    assert queue.list_jobs("acme") == [first, second, training]
    assert queue.list_jobs(kind=JobKind.EXPORT) == [first, second, theirs]
    assert queue.list_jobs("acme", subject="road/2") == []


def test_the_oldest_job_of_the_kinds_asked_for_is_taken_once(queue: Queue) -> None:
    for job_id, kind in (("zz", JobKind.TRAIN), ("mm", JobKind.EXPORT), ("aa", JobKind.EXPORT)):
        add(queue, job_id, kind)
    taken = [queue.claim_job("first", [JobKind.EXPORT], NOON, later(LEASE_S)) for _ in range(3)]
    assert [job and job.id for job in taken] == ["mm", "aa", None]
    assert taken[0] is not None
    assert (taken[0].state, taken[0].owner, taken[0].attempts) == (JobState.RUNNING, "first", 1)
    assert (taken[0].leased_until, taken[0].started) == (later(LEASE_S), NOON)
    assert find(queue, "mm") == taken[0]


def test_many_at_once_take_each_job_once(queue: Queue) -> None:
    for number in range(20):
        add(queue, f"j{number}")
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda number: claim(queue, f"w{number % 4}"), range(24)))
    ids = [job.id for job in taken if job]
    assert len(ids) == len(set(ids))
    # On PostgreSQL a row that another one is just taking is passed over.
    while job := claim(queue):
        ids.append(job.id)
    assert sorted(ids) == sorted(f"j{number}" for number in range(20))


def test_a_job_whose_lease_has_run_out_is_taken_by_another_and_its_first_holder_is_told(queue: Queue) -> None:
    add(queue)
    claim(queue)
    renew(queue, at_s=10)
    assert claim(queue, "second", at_s=20) is None
    taken = claim(queue, "second", at_s=26)
    assert taken is not None
    assert (taken.owner, taken.attempts, taken.started) == ("second", 2, NOON)
    for late in (
        lambda: renew(queue),
        lambda: queue.release_job("j1", "first"),
        lambda: queue.end_job("j1", "first", JobState.DONE, later(30)),
    ):
        with pytest.raises(ConflictError, match="j1"):
            late()
    assert find(queue) == taken


def test_attempts_are_counted_again_once_a_job_gets_further_than_ever(queue: Queue) -> None:
    add(queue)
    claim(queue)
    renew(queue, done=5)
    claim(queue, at_s=100)
    claim(queue, at_s=200)
    for done in (1, 5):
        renew(queue, at_s=200, done=done)
        assert (find(queue).attempts, find(queue).progress["done"]) == (3, 5)
    renew(queue, at_s=200)
    renew(queue, at_s=200, done=6)
    assert (find(queue).attempts, find(queue).progress) == (1, {"done": 6, "total": 9})


def test_a_job_given_back_is_taken_at_once_with_all_its_attempts(queue: Queue) -> None:
    add(queue)
    claim(queue)
    queue.release_job("j1", "first")
    assert (find(queue).state, find(queue).owner, find(queue).attempts) == (JobState.QUEUED, "", 0)
    taken = claim(queue, "second", at_s=1)
    assert taken is not None
    assert taken.attempts == 1


def test_how_a_job_ended_is_kept_and_it_is_not_taken_again(queue: Queue) -> None:
    add(queue)
    claim(queue)
    queue.end_job("j1", "first", JobState.FAILED, later(9), result={"bytes": 2**40}, error="no space")
    ended = find(queue)
    assert (ended.state, ended.ended, ended.error) == (JobState.FAILED, later(9), "no space")
    assert ended.result == {"bytes": 2**40}
    assert claim(queue, at_s=1000) is None
    with pytest.raises(ConflictError):
        renew(queue)
    assert queue.ask_job("acme", "j1", Wish.CANCEL, later(10)) is None


def test_a_wish_reaches_the_holder_and_a_wish_to_cancel_stays(queue: Queue) -> None:
    add(queue)
    claim(queue)
    assert renew(queue) is None
    for wish, reached in ((Wish.STOP, Wish.STOP), (Wish.CANCEL, Wish.CANCEL), (Wish.STOP, Wish.CANCEL)):
        asked = queue.ask_job("acme", "j1", wish, later(2))
        assert asked is not None
        assert asked.state is JobState.RUNNING
        assert renew(queue) is reached
    queue.release_job("j1", "first")
    assert find(queue).wish is Wish.CANCEL


@pytest.mark.parametrize("wish", [Wish.STOP, Wish.CANCEL])
def test_a_job_that_nobody_runs_is_cancelled_at_once(queue: Queue, wish: Wish) -> None:
    add(queue)
    assert queue.ask_job("other", "j1", wish, later(2)) is None
    asked = queue.ask_job("acme", "j1", wish, later(2))
    assert asked is not None
    assert (asked.state, asked.ended) == (JobState.CANCELLED, later(2))
    assert claim(queue) is None
