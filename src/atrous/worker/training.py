"""The training job: a version and a recipe in, a published model and the wish for its evaluation out."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from atrous.core.errors import AtrousError, ConflictError, MissingExtraError, StoppedError, StorageError
from atrous.core.ids import VersionId
from atrous.worker.bundling import export_bundle, score_bundle
from atrous.workspace.checkpoints import resolve_checkpoint
from atrous.workspace.evaluations import request_evaluation
from atrous.workspace.models import publish_model
from atrous.workspace.records import TrainingState, Wish
from atrous.workspace.trainings import begin_training, end_training, find_training, give_back_training, record_epochs
from atrous.workspace.versions import find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from atrous.datasets.content import Sample
    from atrous.training.listener import EpochReport, Listener, StepReport
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import TrainingConfig
    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model, Training, Version

    Trainer = Callable[[TrainingConfig, Listener], TrainingResult]

TRAINING_PACKAGES = ("torch", "segmentation_models_pytorch", "lightning_fabric", "filelock", "onnxscript")
# The last process of the same training may have been killed a moment ago.
LOCK_S = 10


def train(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Do a training that was queued; its subject is the training's id, its result the model's slug.

    Raises:
        StoppedError: because its worker is about to end; the training waits for another one.
        AtrousError: whatever training or export had to say.
    """
    training = find_training(ports, job.workspace, job.subject)
    model = ports.store.find_training_model(training)
    if training.state is not TrainingState.DONE or model is None:
        version = find_version(ports, training.workspace, VersionId(training.project, training.version))
        training = begin_training(ports, training)
        listener = WatchListener(ports, training, folder, watch)
        try:
            model = _run(ports, training, version, folder, listener, resume=True, lock_s=LOCK_S)
        except StoppedError:
            give_back_training(ports, training)
            raise
    else:
        request_evaluation(ports, model)
    return {"model": model.slug}


class WatchListener:
    """Tells a job's watch of each step, and records the figures of each epoch."""

    def __init__(self, ports: Ports, training: Training, run_folder: Path, watch: Watch) -> None:
        self._ports = ports
        self._training = training
        self._run_folder = run_folder
        self._watch = watch

    def on_step(self, report: StepReport) -> None:
        """Tell how far the training is."""
        self._watch.report({"done": report.step, "total": report.total_steps, "loss": report.loss})

    def on_epoch(self, report: EpochReport) -> None:
        """Record all epochs, as one may have been finished by a process that was killed before it could."""
        del report
        record_epochs(self._ports, self._training, _read_epochs(self._run_folder))

    def should_stop(self) -> bool:
        """Whether another worker is to go on, or nobody."""
        return self._watch.wish() in {Wish.PAUSE, Wish.CANCEL}

    def should_finish(self) -> bool:
        """Whether a person has enough."""
        return self._watch.wish() is Wish.STOP


def _read_epochs(run_folder: Path) -> list[dict[str, Any]]:
    from atrous.training.log import LOG

    log = run_folder / LOG
    # A person may have had enough before the first epoch was over.
    return [json.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []


def run_training_job(
    ports: Ports,
    training: Training,
    version: Version,
    *,
    run_folder: Path,
    listener: Listener,
    resume: bool = False,
    trainer: Trainer | None = None,
) -> Model:
    """Train, export, compare, score on valid and publish, in this process; record how it ended.

    An evaluation is asked for, which a worker makes.

    Args:
        run_folder: keeps the checkpoints, so that the job can be resumed.
        resume: go on from them.
        trainer: what trains instead of `run_training` here, such as a cluster.

    Raises:
        MissingExtraError: if torch is not installed.
        ConflictError: if another process runs this training.
        StoppedError: if the listener asked to stop; the job can be resumed.
        AtrousError: whatever training or export had to say; the job can be resumed.
    """
    try:
        return _run(ports, training, version, run_folder, listener, resume=resume, trainer=trainer)
    except StoppedError:
        end_training(ports, training, TrainingState.STOPPED)
        raise


def _run(
    ports: Ports,
    training: Training,
    version: Version,
    run_folder: Path,
    listener: Listener,
    *,
    resume: bool,
    lock_s: float = 0,
    trainer: Trainer | None = None,
) -> Model:
    try:
        require_torch()
        with _hold(run_folder, lock_s):
            model = _make_model(ports, training, version, run_folder, listener, resume=resume, trainer=trainer)
            end_training(ports, training, TrainingState.DONE)
        request_evaluation(ports, model)
    except (ConflictError, StoppedError):
        raise
    except AtrousError as error:
        end_training(ports, training, TrainingState.FAILED, str(error))
        raise
    return model


def _make_model(
    ports: Ports,
    training: Training,
    version: Version,
    run_folder: Path,
    listener: Listener,
    *,
    resume: bool,
    trainer: Trainer | None,
) -> Model:
    samples = list_samples(ports, version)
    recipe = resolve_checkpoint(ports, training.workspace, training.recipe)
    result = _train(recipe, version, samples, run_folder, listener, resume=resume, trainer=trainer)
    folder = run_folder / "bundle"
    try:
        record_epochs(ports, training, _read_epochs(run_folder))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        facts = {
            "best_epoch": result.best_epoch,
            "adjustments": result.list_adjustments(),
            "weights_sha256": result.weights_sha256,
            "surroundings": result.surroundings,
        }
        export_bundle(folder, training, version, samples, weights=result.weights, facts=facts)
        wished = training.recipe.get("int8", "auto")
        metrics = score_bundle(folder, samples, {"best_epoch": result.best_epoch}, int8=wished)
    except OSError as error:
        raise StorageError(
            f"{run_folder}: the model cannot be written ({error.strerror}); free space and go on with --resume"
        ) from error
    model = publish_model(ports, training, folder, metrics)
    shutil.rmtree(folder, ignore_errors=True)
    return model


def require_torch() -> None:
    """Do nothing where training can run.

    Raises:
        MissingExtraError: if this installation can serve but not train.
    """
    if any(find_spec(name) is None for name in TRAINING_PACKAGES):
        raise MissingExtraError(
            "training needs torch, which this installation lacks; install Atrous with its extra `train`, in a checkout "
            "by pip install '.[train]'"
        )


def has_checkpoint(run_folder: Path) -> bool:
    """Whether a training got so far that it can go on from there."""
    from atrous.training.checkpoint import LAST

    return (run_folder / LAST).is_file()


@contextmanager
def _hold(run_folder: Path, lock_s: float) -> Generator[None]:
    """Keep other processes from running the same training; the lock ends with this process, however it ends."""
    from filelock import FileLock, Timeout

    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run_folder / "lock", timeout=lock_s)
        lock.acquire()
    except Timeout as error:
        raise ConflictError(f"training {run_folder.name}: runs already in another process; wait for it") from error
    except OSError as error:
        raise StorageError(f"{run_folder}: cannot be made ({error.strerror}); free space and try again") from error
    try:
        yield
    finally:
        lock.release()


def _train(
    recipe: dict[str, Any],
    version: Version,
    samples: tuple[Sample, ...],
    run_folder: Path,
    listener: Listener,
    *,
    resume: bool,
    trainer: Trainer | None,
) -> TrainingResult:
    from atrous.training.finish import adjust_classes
    from atrous.training.loop import run_training
    from atrous.training.recipe import TrainingConfig, read_recipe

    config = TrainingConfig(
        run_folder=run_folder,
        samples=samples,
        class_map=version.class_map,
        preprocessing=version.preprocessing,
        recipe=read_recipe(recipe),
        resume=resume,
    )
    return adjust_classes((trainer or run_training)(config, listener), config)
