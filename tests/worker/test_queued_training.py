"""Trainings that go through the queue, from the asking to the model."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import add_version  # noqa: E402
from tests.training.runs import RECIPE  # noqa: E402
from tests.worker.place import PACE, WORKSPACE, Place, wait_until  # noqa: E402
from tests.worker.works import be_silent  # noqa: E402

from atrous.adapters.home import open_home  # noqa: E402
from atrous.bundle.bundle import open_bundle  # noqa: E402
from atrous.core.errors import InvalidInputError, StoppedError  # noqa: E402
from atrous.training.finish import adjust_classes  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402
from atrous.training.recipe import TrainingConfig  # noqa: E402
from atrous.worker.running import Plan, Worker  # noqa: E402
from atrous.worker.training import has_checkpoint, train  # noqa: E402
from atrous.worker.watch import SilentWatch  # noqa: E402
from atrous.workspace.models import find_model  # noqa: E402
from atrous.workspace.records import Job, JobKind, JobState, Training, TrainingState, Wish  # noqa: E402
from atrous.workspace.trainings import (  # noqa: E402
    IN_FLIGHT,
    find_training,
    queue_training,
)
from atrous.workspace.versions import list_samples  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TRAINING_S = 120

EPOCHS = 12


class Trainer(Place):
    """A place with a version, and a worker that trains."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.version = add_version(self.ports, WORKSPACE, "road")
        plan = Plan({JobKind.TRAIN: train}, self.home, partial(open_home, self.home), be_silent, pace=PACE)
        self.worker = Worker(self.ports, plan)
        self.thread = threading.Thread(target=self.worker.run)

    def queue(self, **changes: Any) -> Training:
        recipe = RECIPE.as_json() | {"epochs": EPOCHS} | changes
        return queue_training(self.ports, self.version, recipe, model_type="a-sem")

    def queue_with_job(self, **changes: Any) -> tuple[Training, Job]:
        training = self.queue(**changes)
        (job,) = self.ports.queue.list_jobs(WORKSPACE, JobKind.TRAIN)
        return training, job

    def look(self, training: Training) -> Training:
        return find_training(self.ports, WORKSPACE, training.id)

    def run_folder(self, training: Training) -> Path:
        return self.home / "runs" / training.id

    def wait_for_epochs(self, training: Training, epochs: int) -> None:
        wait_until(lambda: len(self.look(training).epochs) >= epochs, TRAINING_S)

    def wait_for_end(self, training: Training) -> Training:
        wait_until(lambda: self.look(training).state not in IN_FLIGHT, TRAINING_S)
        return self.look(training)

    def end(self) -> None:
        self.worker.ask_to_end()
        self.thread.join()


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainer]:
    # As in this process (conftest.py): sums of several threads differ in their last digits.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = Trainer(tmp_path)
    made.thread.start()
    yield made
    made.end()


def hash_undisturbed(trainer: Trainer, folder: Path) -> str:
    """Of the weights of a training in this process that nobody disturbs."""
    config = TrainingConfig(
        run_folder=folder,
        samples=list_samples(trainer.ports, trainer.version),
        class_map=trainer.version.class_map,
        preprocessing=trainer.version.preprocessing,
        recipe=replace(RECIPE, epochs=EPOCHS),
    )
    folder.mkdir()
    return adjust_classes(run_training(config), config).weights_sha256


def test_a_queued_training_that_is_killed_reaches_the_same_weights_and_is_evaluated(
    trainer: Trainer, tmp_path: Path
) -> None:
    training = trainer.queue()
    assert training.state is TrainingState.QUEUED
    trainer.wait_for_epochs(training, 2)
    os.kill(trainer.worker._held[0].process._process.pid, signal.SIGKILL)
    done = trainer.wait_for_end(training)
    assert (done.state, done.error, done.model_type) == (TrainingState.DONE, None, "a-sem")
    assert [epoch["epoch"] for epoch in done.epochs] == list(range(1, EPOCHS + 1))
    assert done.started is not None
    assert done.ended is not None
    model = find_model(trainer.ports, WORKSPACE, "road/1")
    manifest = open_bundle(trainer.ports.bundles.locate(WORKSPACE, model.slug)).manifest
    assert manifest.recipe["weights_sha256"] == hash_undisturbed(trainer, tmp_path / "undisturbed")
    (job,) = trainer.ports.queue.list_jobs(WORKSPACE, JobKind.TRAIN)
    wait_until(lambda: trainer.find(job).state is JobState.DONE)
    assert trainer.find(job).result == {"model": model.slug}
    assert len(trainer.ports.queue.list_jobs(WORKSPACE, JobKind.EVALUATE)) == 1


class Wisher(SilentWatch):
    """Wishes for something once there was a report."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self.told: list[Mapping[str, Any]] = []

    def report(self, progress: Mapping[str, Any]) -> None:
        self.told.append(progress)

    def wish(self) -> Wish | None:
        return self._wish if self.told else None


def test_a_training_stopped_before_its_first_epoch_ends_keeps_the_weights_of_its_step(tmp_path: Path) -> None:
    trainer, watch = Trainer(tmp_path), Wisher(Wish.STOP)
    training, job = trainer.queue_with_job()
    result = train(trainer.ports, job, trainer.run_folder(training), watch)
    assert [told["done"] for told in watch.told] == [1]
    assert trainer.look(training).state is TrainingState.DONE
    assert result == {"model": find_model(trainer.ports, WORKSPACE, "road/1").slug}
    # Killed before the queue knew, it is done again: nothing changes.
    assert train(trainer.ports, job, trainer.run_folder(training), watch) == result
    assert len(trainer.ports.queue.list_jobs(WORKSPACE, JobKind.EVALUATE)) == 1


def test_a_training_whose_worker_ends_waits_with_its_checkpoint(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    training, job = trainer.queue_with_job()
    with pytest.raises(StoppedError):
        train(trainer.ports, job, trainer.run_folder(training), Wisher(Wish.PAUSE))
    assert trainer.look(training).state is TrainingState.QUEUED
    assert has_checkpoint(trainer.run_folder(training))


def test_a_training_that_cannot_be_done_says_why(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    training, job = trainer.queue_with_job(encoder="nonsense")
    with pytest.raises(InvalidInputError, match="encoder 'nonsense'") as caught:
        train(trainer.ports, job, trainer.run_folder(training), SilentWatch())
    failed = trainer.look(training)
    assert (failed.state, failed.error) == (TrainingState.FAILED, str(caught.value))
