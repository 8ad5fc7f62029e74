"""The training job: a version and a recipe in, a published model out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from atrous.core.errors import AtrousError, MissingExtraError, StoppedError, StorageError
from atrous.datasets.content import load_sample
from atrous.datasets.splits import Split
from atrous.worker.evaluation import evaluate_samples
from atrous.workspace.models import publish_model
from atrous.workspace.records import TrainingState
from atrous.workspace.trainings import end_training
from atrous.workspace.versions import list_samples

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.content import Sample
    from atrous.training.listener import Listener
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import TrainingConfig
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model, Training, Version

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
        StoppedError: if the listener asked to stop; the job can be resumed.
        AtrousError: whatever training or export had to say; the job can be resumed.
    """
    try:
        samples = list_samples(ports, version)
        config = _configure(training, version, samples, run_folder, resume=resume)
        result = _train(config, listener)
        try:
            folder = _export(training, version, samples, config, result)
            metrics = _score(folder, samples, result)
        except OSError as error:
            raise StorageError(
                f"{run_folder}: the model cannot be written ({error.strerror}); free space and go on with --resume"
            ) from error
        model = publish_model(ports, training, folder, metrics)
    except StoppedError:
        end_training(ports, training, TrainingState.STOPPED)
        raise
    except AtrousError as error:
        end_training(ports, training, TrainingState.FAILED, str(error))
        raise
    end_training(ports, training, TrainingState.DONE)
    shutil.rmtree(folder, ignore_errors=True)
    return model


def _configure(
    training: Training, version: Version, samples: tuple[Sample, ...], run_folder: Path, *, resume: bool
) -> TrainingConfig:
    try:
        from atrous.training.recipe import TrainingConfig, read_recipe
    except ModuleNotFoundError as error:
        raise missing_torch() from error
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{run_folder}: cannot be made ({error.strerror}); free space and try again") from error
    return TrainingConfig(
        run_folder=run_folder,
        samples=samples,
        class_map=version.class_map,
        preprocessing=version.preprocessing,
        recipe=read_recipe(training.recipe),
        resume=resume,
    )


def missing_torch() -> MissingExtraError:
    """The error for an installation that can serve but not train."""
    return MissingExtraError("training needs torch, which this installation lacks; run pip install 'atrous[train]'")


def _train(config: TrainingConfig, listener: Listener) -> TrainingResult:
    try:
        from atrous.training.loop import run_training
    except ModuleNotFoundError as error:
        raise missing_torch() from error
    return run_training(config, listener)


def _export(
    training: Training, version: Version, samples: tuple[Sample, ...], config: TrainingConfig, result: TrainingResult
) -> Path:
    from atrous.export.bundle import Provenance, write_bundle

    folder = config.run_folder / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    valid = [sample for sample in samples if sample.split is Split.VALID][:PARITY_PICTURES]
    pictures_HWC = [load_sample(sample, auto_orient=version.preprocessing.auto_orient)[0] for sample in valid]
    recipe = training.recipe | {"best_epoch": result.best_epoch, "weights_sha256": result.weights_sha256}
    provenance = Provenance(
        model_id=str(version.id),
        architecture=config.recipe.architecture,
        encoder=config.recipe.encoder,
        recipe=recipe,
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
    return folder


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
