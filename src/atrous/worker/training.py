"""The training job: a version and a recipe in, a published model out."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from atrous.core.errors import AtrousError, ConflictError, MissingExtraError, StoppedError, StorageError
from atrous.datasets.content import load_sample
from atrous.datasets.splits import Split
from atrous.worker.evaluation import evaluate_samples
from atrous.workspace.models import publish_model
from atrous.workspace.records import TrainingState
from atrous.workspace.trainings import end_training
from atrous.workspace.versions import list_samples

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from atrous.datasets.content import Sample
    from atrous.training.listener import Listener
    from atrous.training.loop import TrainingResult
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model, Training, Version

TRAINING_PACKAGES = ("torch", "segmentation_models_pytorch", "lightning_fabric", "filelock", "onnxscript")
PARITY_PICTURES = 4
SERVED_THRESHOLD = 0.4


def run_training_job(
    ports: Ports, training: Training, version: Version, *, run_folder: Path, listener: Listener, resume: bool = False
) -> Model:
    """Train, export, compare, score on valid and publish; record how it ended.

    Args:
        run_folder: keeps the checkpoints, so that the job can be resumed.
        resume: go on from them.

    Raises:
        MissingExtraError: if torch is not installed.
        ConflictError: if another process runs this training.
        StoppedError: if the listener asked to stop; the job can be resumed.
        AtrousError: whatever training or export had to say; the job can be resumed.
    """
    try:
        require_torch()
        with _hold(run_folder):
            model = _make_model(ports, training, version, run_folder, listener, resume=resume)
            end_training(ports, training, TrainingState.DONE)
    except ConflictError:
        raise
    except StoppedError:
        end_training(ports, training, TrainingState.STOPPED)
        raise
    except AtrousError as error:
        end_training(ports, training, TrainingState.FAILED, str(error))
        raise
    return model


def _make_model(
    ports: Ports, training: Training, version: Version, run_folder: Path, listener: Listener, *, resume: bool
) -> Model:
    samples = list_samples(ports, version)
    result = _train(training, version, samples, run_folder, listener, resume=resume)
    folder = run_folder / "bundle"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        _export(folder, training, version, samples, result)
        metrics = _score(folder, samples, result)
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
def _hold(run_folder: Path) -> Generator[None]:
    """Keep other processes from running the same training; the lock ends with this process, however it ends."""
    from filelock import FileLock, Timeout

    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run_folder / "lock", timeout=0)
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
    training: Training,
    version: Version,
    samples: tuple[Sample, ...],
    run_folder: Path,
    listener: Listener,
    *,
    resume: bool,
) -> TrainingResult:
    from atrous.training.loop import run_training
    from atrous.training.recipe import TrainingConfig, read_recipe

    config = TrainingConfig(
        run_folder=run_folder,
        samples=samples,
        class_map=version.class_map,
        preprocessing=version.preprocessing,
        recipe=read_recipe(training.recipe),
        resume=resume,
    )
    return run_training(config, listener)


def _export(
    folder: Path, training: Training, version: Version, samples: tuple[Sample, ...], result: TrainingResult
) -> None:
    from atrous.export.bundle import Provenance, write_bundle

    valid = [sample for sample in samples if sample.split is Split.VALID][:PARITY_PICTURES]
    pictures_HWC = [load_sample(sample, auto_orient=version.preprocessing.auto_orient)[0] for sample in valid]
    provenance = Provenance(
        model_id=str(version.id),
        architecture=training.recipe["architecture"],
        encoder=training.recipe["encoder"],
        recipe=training.recipe | {"best_epoch": result.best_epoch, "weights_sha256": result.weights_sha256},
        version_hash=version.content_sha256,
        created=training.created.isoformat(),
    )
    write_bundle(
        folder,
        weights=result.weights,
        class_map=version.class_map,
        preprocessing=version.preprocessing,
        provenance=provenance,
        pictures_HWC=pictures_HWC,
    )


def _score(folder: Path, samples: tuple[Sample, ...], result: TrainingResult) -> dict[str, Any]:
    """Score the bundle itself on valid: what is published is what was measured."""
    from atrous.export.bundle import record_metrics

    valid = [sample for sample in samples if sample.split is Split.VALID]
    evaluation = evaluate_samples(folder, valid, threshold=SERVED_THRESHOLD)
    metrics = {
        "split": Split.VALID.value,
        "best_epoch": result.best_epoch,
        "plain": evaluation.plain.as_json(),
        "served": evaluation.served.as_json(),
        "threshold": evaluation.threshold,
    }
    record_metrics(folder, metrics)
    return {"split": metrics["split"], "miou": evaluation.plain.mean_iou, "served_miou": evaluation.served.mean_iou}
