from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from filelock import FileLock  # noqa: E402
from tests.fakes.datasets import add_version  # noqa: E402
from tests.fakes.ports import fake_ports  # noqa: E402
from tests.training.runs import RECIPE, Recorder, Stopper  # noqa: E402

from atrous.bundle.bundle import open_bundle  # noqa: E402
from atrous.core.errors import (  # noqa: E402
    ConflictError,
    InvalidBundleError,
    InvalidInputError,
    StoppedError,
    StorageError,
)
from atrous.training.checkpoint import BEST, hash_weights  # noqa: E402
from atrous.training.listener import SilentListener  # noqa: E402
from atrous.worker.training import run_training_job  # noqa: E402
from atrous.workspace.models import find_model  # noqa: E402
from atrous.workspace.records import EvaluationState, JobKind, Model, Training, TrainingState, Version  # noqa: E402
from atrous.workspace.trainings import resume_training, start_training  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.training.listener import EpochReport
    from atrous.workspace.ports import Ports

EPOCHS = 2


@dataclass
class Place:
    """A version in fake ports, ready to be trained on."""

    ports: Ports
    version: Version
    run_folder: Path

    def start(self, **changes: Any) -> Training:
        return start_training(self.ports, self.version, RECIPE.as_json() | {"epochs": EPOCHS} | changes)

    def run(self, training: Training, listener: SilentListener | None = None, *, resume: bool = False) -> Model:
        return run_training_job(
            self.ports,
            training,
            self.version,
            run_folder=self.run_folder,
            listener=listener or SilentListener(),
            resume=resume,
        )

    def last_state(self) -> tuple[TrainingState, str | None]:
        training = self.ports.store.list_trainings("home", "road", 1)[-1]
        return training.state, training.error


def make_place(folder: Path) -> Place:
    ports = fake_ports(folder)
    ports.store.add_workspace("home")
    return Place(ports, add_version(ports, "home", "road"), folder / "run")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@dataclass
class Finished:
    place: Place
    training: Training
    model: Model
    listener: Recorder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A training that was stopped, resumed and published."""
    place = make_place(tmp_path_factory.mktemp("job"))
    training = place.start()
    with pytest.raises(StoppedError):
        place.run(training, Stopper(after_steps=2))
    assert place.last_state() == (TrainingState.STOPPED, None)
    listener = Recorder()
    model = place.run(resume_training(place.ports, place.version), listener, resume=True)
    return Finished(place, training, model, listener)


def test_a_finished_job_is_done_and_its_model_found_by_its_version(finished: Finished) -> None:
    assert finished.place.last_state() == (TrainingState.DONE, None)
    assert find_model(finished.place.ports, "home", "road/1") == finished.model
    assert finished.model.training == finished.training.id


def test_a_finished_job_has_recorded_its_learning_curve(finished: Finished) -> None:
    recorded = finished.place.ports.store.find_training("home", finished.training.id)
    assert recorded is not None
    assert [figures["epoch"] for figures in recorded.epochs] == list(range(1, EPOCHS + 1))


def test_a_finished_job_has_asked_for_an_evaluation_of_its_model(finished: Finished) -> None:
    (evaluation,) = finished.place.ports.store.list_evaluations("home")
    assert (evaluation.model, evaluation.state) == (finished.model.slug, EvaluationState.RUNNING)
    (job,) = finished.place.ports.queue.list_jobs("home", JobKind.EVALUATE)
    assert job.subject == evaluation.id


def test_a_training_that_runs_elsewhere_is_refused_and_not_marked_as_failed(place: Place) -> None:
    training = place.start()
    place.run_folder.mkdir()
    with FileLock(place.run_folder / "lock"), pytest.raises(ConflictError, match="runs already in another process"):
        place.run(training, resume=True)
    assert place.last_state() == (TrainingState.RUNNING, None)


def test_a_published_bundle_verifies_and_names_version_recipe_and_weights(finished: Finished) -> None:
    bundle = open_bundle(finished.place.ports.bundles.locate("home", finished.model.slug))
    manifest = bundle.manifest
    assert (manifest.model_id, manifest.version_hash) == ("road/1", finished.place.version.content_sha256)
    assert bundle.class_map == finished.place.version.class_map
    weights = torch.load(bundle.folder / "weights.pt", weights_only=True)
    assert manifest.recipe["weights_sha256"] == hash_weights(weights)
    assert manifest.recipe["epochs"] == EPOCHS
    assert manifest.parity["same_class_share"] >= 0.999


def test_the_scores_are_of_the_published_bundle_with_their_rule(finished: Finished) -> None:
    metrics = open_bundle(finished.place.ports.bundles.locate("home", finished.model.slug)).manifest.metrics
    best = max(report.miou for report in finished.listener.epochs if report.miou is not None)
    assert metrics["split"] == "valid"
    assert metrics["plain"]["rule"]
    assert metrics["plain"]["mean_iou"] == finished.model.metrics["miou"]
    # Torch validated and ONNX Runtime scored: a few pixels of ties may differ.
    assert metrics["plain"]["mean_iou"] == pytest.approx(best, abs=1e-3)


def test_a_failure_is_recorded_with_its_sentence(place: Place) -> None:
    with pytest.raises(InvalidInputError, match="encoder 'nonsense'") as caught:
        place.run(place.start(encoder="nonsense"))
    assert place.last_state() == (TrainingState.FAILED, str(caught.value))
    assert place.ports.store.list_models("home") == []


class Spoiler(SilentListener):
    """Puts numbers that are none into the best weights once the last epoch is over."""

    def __init__(self, run_folder: Path) -> None:
        self._path = run_folder / BEST

    def on_epoch(self, report: EpochReport) -> None:
        super().on_epoch(report)
        content = torch.load(self._path, weights_only=True)
        content["weights"]["segmentation_head.0.bias"].fill_(float("nan"))
        torch.save(content, self._path)


def test_a_network_that_disagrees_with_its_export_is_not_published(place: Place) -> None:
    with pytest.raises(InvalidBundleError, match="not published"):
        place.run(place.start(epochs=1), Spoiler(place.run_folder))
    state, error = place.last_state()
    assert state is TrainingState.FAILED
    assert error is not None
    assert "differs from the trained network" in error
    assert place.ports.store.list_models("home") == []


class ExportFiller(SilentListener):
    """After the last epoch no file can grow as large as a network."""

    def on_epoch(self, report: EpochReport) -> None:
        super().on_epoch(report)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))


def test_a_disk_that_is_full_at_the_export_is_said_and_the_job_can_go_on(place: Place) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(StorageError, match=r"cannot be written \(File too large\).*--resume"):
            place.run(place.start(epochs=1), ExportFiller())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert place.last_state()[0] is TrainingState.FAILED
    listener = Recorder()
    model = place.run(resume_training(place.ports, place.version), listener, resume=True)
    assert listener.steps == []
    assert find_model(place.ports, "home", "road/1") == model


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from atrous.core.errors import MissingExtraError
from atrous.training.listener import SilentListener
from atrous.training.recipe import Recipe
from atrous.worker.training import run_training_job
from atrous.workspace.trainings import start_training
from tests.fakes.datasets import add_version
from tests.fakes.ports import fake_ports

folder = Path(sys.argv[1])
ports = fake_ports(folder)
ports.store.add_workspace("home")
version = add_version(ports, "home", "road")
training = start_training(ports, version, Recipe().as_json())
try:
    run_training_job(ports, training, version, run_folder=folder / "run", listener=SilentListener())
except MissingExtraError as error:
    print(error)
print(ports.store.list_trainings("home", "road", 1)[0].state)
"""


def test_an_installation_without_torch_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    sentence, state = done.stdout.splitlines()
    assert sentence.startswith("training needs torch, which this installation lacks; install"), done.stderr
    assert state == "failed"
