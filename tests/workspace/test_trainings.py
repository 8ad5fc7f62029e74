from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.fakes.ports import fake_ports

from atrous.adapters.home import open_home
from atrous.bundle.preprocessing import Preprocessing
from atrous.core.class_map import ClassMap
from atrous.core.errors import ConflictError, NotFoundError
from atrous.core.sizes import Size
from atrous.workspace.records import Job, JobKind, JobState, Model, Project, TrainingState, Version, VersionState, Wish
from atrous.workspace.trainings import (
    AliasChange,
    begin_training,
    cancel_training,
    delete_training,
    end_training,
    find_training,
    queue_training,
    record_epochs,
    restore_training,
    resume_training,
    settle_trainings,
    start_training,
    stop_training,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Training

CLASS_MAP = ClassMap(("background", "road"))
RECIPE = {"encoder": "resnet50", "epochs": 3}


@pytest.fixture(params=["fake", "home"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Ports with the workspaces `acme` and `other`, each with a project `road`."""
    ports = fake_ports(tmp_path) if request.param == "fake" else open_home(tmp_path / "home")
    for workspace in ("acme", "other"):
        ports.store.add_workspace(workspace)
        ports.store.add_project(Project(workspace, "road", CLASS_MAP, ports.clock.now()))
    return ports


def make_version(ports: Ports, workspace: str = "acme", state: VersionState = VersionState.READY) -> Version:
    now = ports.clock.now()
    preprocessing = Preprocessing(Size(height=8, width=8))
    return ports.store.add_version(
        lambda number: Version(workspace, "road", number, "0" * 64, CLASS_MAP, preprocessing, {}, now, state=state),
        workspace,
        "road",
    )


def queue(ports: Ports, version: Version) -> Training:
    return queue_training(ports, version, RECIPE, model_type="deeplabv3plus-sem")


def find_job(ports: Ports, training: Training) -> Job:
    (job,) = ports.queue.list_jobs(training.workspace, JobKind.TRAIN, training.id)
    return job


def claim(ports: Ports) -> Job:
    now = ports.clock.now()
    job = ports.queue.claim_job("worker", [JobKind.TRAIN], now, now + timedelta(hours=1))
    assert job is not None
    return job


def finish(ports: Ports, version: Version, *, published: bool = True) -> Training:
    """A training that is over, whose model's slug is its id with an `m`."""
    training = end_training(ports, start_training(ports, version, RECIPE), TrainingState.DONE)
    if published:
        now = ports.clock.now()
        ports.store.add_model(Model("acme", f"m{training.id}", "road", version.number, training.id, now))
    return training


def test_a_new_training_runs(ports: Ports) -> None:
    version = make_version(ports)
    training = start_training(ports, version, RECIPE)
    assert (training.state, training.error, training.recipe) == (TrainingState.RUNNING, None, RECIPE)
    assert ports.store.list_trainings("acme", "road", version.number) == [training]


def test_no_two_trainings_share_an_id(ports: Ports) -> None:
    version = make_version(ports)
    assert len({start_training(ports, version, RECIPE).id for _ in range(20)}) == 20


@pytest.mark.parametrize("state", [TrainingState.RUNNING, TrainingState.STOPPED, TrainingState.FAILED])
def test_what_was_stopped_killed_or_failed_is_resumed_as_it_began(ports: Ports, state: TrainingState) -> None:
    version = make_version(ports)
    training = start_training(ports, version, RECIPE)
    end_training(ports, training, state, "no space")
    resumed = resume_training(ports, version)
    assert (resumed.id, resumed.recipe, resumed.created) == (training.id, RECIPE, training.created)
    (kept,) = ports.store.list_trainings("acme", "road", version.number)
    assert (kept.state, kept.error) == (TrainingState.RUNNING, None)


def test_what_is_done_is_not_resumed(ports: Ports) -> None:
    version = make_version(ports)
    end_training(ports, start_training(ports, version, RECIPE), TrainingState.DONE)
    with pytest.raises(NotFoundError, match="road/1: has no unfinished training"):
        resume_training(ports, version)


def test_the_newest_unfinished_training_is_resumed(ports: Ports) -> None:
    version = make_version(ports)
    older, newer, done = (start_training(ports, version, RECIPE | {"epochs": epochs}) for epochs in (1, 2, 3))
    end_training(ports, older, TrainingState.STOPPED)
    end_training(ports, newer, TrainingState.FAILED, "no space")
    end_training(ports, done, TrainingState.DONE)
    assert resume_training(ports, version).id == newer.id
    end_training(ports, newer, TrainingState.DONE)
    assert resume_training(ports, version).id == older.id


def test_a_failed_training_without_a_checkpoint_is_passed_over(ports: Ports) -> None:
    version = make_version(ports)
    stopped, dead = (start_training(ports, version, RECIPE) for _ in range(2))
    end_training(ports, stopped, TrainingState.STOPPED)
    end_training(ports, dead, TrainingState.FAILED, "the hub cannot be reached")
    assert resume_training(ports, version, has_checkpoint=lambda _: False).id == stopped.id


def test_only_trainings_of_this_very_version_are_resumed(ports: Ports) -> None:
    version, next_version, theirs = make_version(ports), make_version(ports), make_version(ports, "other")
    start_training(ports, next_version, RECIPE)
    start_training(ports, theirs, RECIPE)
    with pytest.raises(NotFoundError):
        resume_training(ports, version)


def test_why_a_training_failed_is_kept(ports: Ports) -> None:
    version = make_version(ports)
    end_training(ports, start_training(ports, version, RECIPE), TrainingState.FAILED, "the disk is full")
    (kept,) = ports.store.list_trainings("acme", "road", version.number)
    assert (kept.state, kept.error) == (TrainingState.FAILED, "the disk is full")


def test_a_training_that_was_cancelled_is_not_resumed(ports: Ports) -> None:
    version = make_version(ports)
    end_training(ports, start_training(ports, version, RECIPE), TrainingState.CANCELLED)
    with pytest.raises(NotFoundError):
        resume_training(ports, version)


def test_a_training_that_a_worker_has_is_not_resumed_beside_it(ports: Ports) -> None:
    version = make_version(ports)
    training = queue(ports, version)
    with pytest.raises(ConflictError, match=f"{training.id}: is queued in the workers' queue"):
        resume_training(ports, version)
    claim(ports)
    begin_training(ports, training)
    with pytest.raises(ConflictError, match="is running"):
        resume_training(ports, version)


def test_a_queued_training_has_a_job(ports: Ports) -> None:
    training = queue(ports, make_version(ports))
    assert find_training(ports, "acme", training.id) == training
    assert (training.state, training.model_type, training.started) == (TrainingState.QUEUED, "deeplabv3plus-sem", None)
    assert find_job(ports, training).state is JobState.QUEUED


@pytest.mark.parametrize("state", [VersionState.GENERATING, VersionState.FAILED])
def test_a_version_that_is_not_ready_is_not_trained_on(ports: Ports, state: VersionState) -> None:
    version = make_version(ports, state=state)
    with pytest.raises(ConflictError, match=f"road/1: is {state}"):
        queue(ports, version)
    assert ports.store.list_trainings("acme", "road", 1) == []


def test_a_training_is_found_in_its_workspace_alone(ports: Ports) -> None:
    training = queue(ports, make_version(ports))
    with pytest.raises(NotFoundError):
        find_training(ports, "other", training.id)


def test_when_a_training_ran_and_its_epochs_are_kept(ports: Ports) -> None:
    queued = queue(ports, make_version(ports))
    begun = begin_training(ports, queued)
    record_epochs(ports, queued, [{"epoch": 1, "miou": None}])
    ended = end_training(ports, queued, TrainingState.DONE)
    assert begun.started is not None
    assert ended.ended is not None
    assert queued.created < begun.started < ended.ended
    assert find_training(ports, "acme", queued.id) == ended
    assert ended.epochs == ({"epoch": 1, "miou": None},)


@pytest.mark.parametrize("ask", [stop_training, cancel_training])
def test_a_training_that_has_not_begun_is_cancelled_at_once(
    ports: Ports, ask: Callable[[Ports, Training], Training]
) -> None:
    training = queue(ports, make_version(ports))
    assert ask(ports, training).state is TrainingState.CANCELLED
    assert find_training(ports, "acme", training.id).state is TrainingState.CANCELLED
    assert find_job(ports, training).state is JobState.CANCELLED


@pytest.mark.parametrize(("ask", "wish"), [(stop_training, Wish.STOP), (cancel_training, Wish.CANCEL)])
def test_a_training_that_runs_is_left_to_its_worker(
    ports: Ports, ask: Callable[[Ports, Training], Training], wish: Wish
) -> None:
    training = queue(ports, make_version(ports))
    claim(ports)
    begin_training(ports, training)
    assert ask(ports, training).state is TrainingState.RUNNING
    assert find_job(ports, training).wish is wish


@pytest.mark.parametrize("ask", [stop_training, cancel_training])
def test_a_training_that_is_over_or_runs_elsewhere_cannot_be_asked(
    ports: Ports, ask: Callable[[Ports, Training], Training]
) -> None:
    version = make_version(ports)
    with pytest.raises(ConflictError, match="is done, so there is nothing to"):
        ask(ports, finish(ports, version))
    with pytest.raises(ConflictError, match="no worker has it"):
        ask(ports, start_training(ports, version, RECIPE))


def test_a_training_in_flight_is_not_deleted(ports: Ports) -> None:
    training = queue(ports, make_version(ports))
    with pytest.raises(ConflictError, match="cancel it first"):
        delete_training(ports, training)
    cancel_training(ports, training)
    assert delete_training(ports, training) == AliasChange(None, None)
    with pytest.raises(NotFoundError):
        find_training(ports, "acme", training.id)
    assert ports.store.list_trainings("acme", "road", 1, deleted=True)[0].id == training.id


def test_the_alias_goes_to_the_next_oldest_and_back(ports: Ports) -> None:
    version = make_version(ports)
    finish(ports, version, published=False)
    first, second = finish(ports, version), finish(ports, version)
    assert delete_training(ports, first) == AliasChange("repointed", f"m{second.id}")
    assert delete_training(ports, second) == AliasChange("deleted", None)
    assert restore_training(ports, "acme", second.id) == AliasChange("repointed", f"m{second.id}")
    assert restore_training(ports, "acme", first.id) == AliasChange("repointed", f"m{first.id}")
    assert delete_training(ports, second) == AliasChange(None, f"m{first.id}")
    assert restore_training(ports, "acme", second.id) == AliasChange(None, f"m{first.id}")


def test_only_what_is_in_the_trash_of_the_workspace_is_restored(ports: Ports) -> None:
    training = finish(ports, make_version(ports))
    with pytest.raises(NotFoundError, match="is not in the trash"):
        restore_training(ports, "acme", training.id)
    delete_training(ports, training)
    with pytest.raises(NotFoundError):
        restore_training(ports, "other", training.id)


def test_a_training_whose_job_is_over_is_over(ports: Ports) -> None:
    """Somebody was killed between the end of the job and that of the training."""
    version = make_version(ports)
    cancelled, failed = queue(ports, version), queue(ports, version)
    ports.queue.ask_job("acme", find_job(ports, cancelled).id, Wish.CANCEL, ports.clock.now())
    job = claim(ports)
    begin_training(ports, failed)
    ports.queue.end_job(job.id, "worker", JobState.FAILED, ports.clock.now(), error="no space")
    settle_trainings(ports)
    assert find_training(ports, "acme", cancelled.id).state is TrainingState.CANCELLED
    ended = find_training(ports, "acme", failed.id)
    assert (ended.state, ended.error) == (TrainingState.FAILED, "no space")


def test_a_queued_training_that_lost_its_job_gets_it_back(ports: Ports) -> None:
    """Somebody was killed between the training and its job."""
    version = make_version(ports)
    lost = replace(start_training(ports, version, RECIPE), state=TrainingState.QUEUED)
    running = start_training(ports, version, RECIPE)
    ports.store.set_training(lost)
    settle_trainings(ports)
    assert ports.queue.list_jobs("acme") == []
    ports.store.set_training(replace(lost, created=lost.created - timedelta(minutes=5)))
    ports.store.set_training(replace(running, created=running.created - timedelta(minutes=5)))
    settle_trainings(ports)
    settle_trainings(ports)
    assert find_job(ports, lost).state is JobState.QUEUED
    assert [job.subject for job in ports.queue.list_jobs("acme")] == [lost.id]
