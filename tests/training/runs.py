"""Small trainings, and ways to break them off."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import torch
from tests.fakes.datasets import CLASS_MAP, SIZE, draw_samples, encode_png

from atrous.bundle.preprocessing import Preprocessing
from atrous.core.errors import StorageError
from atrous.datasets.splits import Split
from atrous.models.architectures import build_network
from atrous.training.listener import SilentListener
from atrous.training.recipe import Recipe, TrainingConfig
from atrous.training.validation import validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from atrous.training.listener import EpochReport, StepReport
    from atrous.training.loop import TrainingResult

# A million weights and dropout: a step takes milliseconds, and the random state matters.
RECIPE = Recipe(
    encoder="tu-test_resnet", encoder_weights="none", epochs=3, batch_size=2, device="cpu", workers=0, ema_horizon=0.2
)
STEPS_PER_EPOCH = 3
CHILD_TIMEOUT_S = 120
TOO_SMALL_FOR_A_CHECKPOINT = 100_000


def make_config(folder: Path, *, resume: bool = False, seed_of_pictures: int = 0, **changes: Any) -> TrainingConfig:
    """A training in `folder/run` on pictures in `folder/pictures`."""
    (folder / "run").mkdir(parents=True, exist_ok=True)
    return TrainingConfig(
        run_folder=folder / "run",
        samples=draw_samples(folder / "pictures", seed=seed_of_pictures),
        class_map=CLASS_MAP,
        preprocessing=Preprocessing(size=SIZE),
        recipe=replace(RECIPE, **changes),
        resume=resume,
    )


def relabel(config: TrainingConfig, split: Split, change: Callable[[Any], Any]) -> None:
    """Write other masks for a split."""
    for sample in config.samples:
        if sample.split is split:
            mask_HW = cv2.imread(str(sample.mask_path), cv2.IMREAD_UNCHANGED)
            sample.mask_path.write_bytes(encode_png(change(mask_HW)))


def score_weights(result: TrainingResult, config: TrainingConfig) -> float:
    """Mean IoU on valid of what a training gave."""
    network = build_network(config.recipe.architecture, config.recipe.encoder, len(config.class_map))
    network.network.load_state_dict(result.weights)
    valid = [sample for sample in config.samples if sample.split is Split.VALID]
    (miou,) = validate(network.eval(), valid, config, torch.device("cpu")) or [0.0]
    return miou


class Recorder(SilentListener):
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.steps: list[StepReport] = []
        self.epochs: list[EpochReport] = []

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)

    def on_epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)


class Stopper(Recorder):
    """Asks to stop once a number of steps is done."""

    def __init__(self, after_steps: int) -> None:
        super().__init__()
        self._after = after_steps

    def should_stop(self) -> bool:
        return len(self.steps) >= self._after


class Finisher(Recorder):
    """Has enough once a number of steps is done."""

    def __init__(self, after_steps: int) -> None:
        super().__init__()
        self._after = after_steps

    def should_finish(self) -> bool:
        return len(self.steps) >= self._after


class Killer(Recorder):
    """Kills its own process, which gets no chance to clean up."""

    def __init__(self, *, after_steps: int = 0, after_epochs: int = 0) -> None:
        super().__init__()
        self._after_steps, self._after_epochs = after_steps, after_epochs

    def on_step(self, report: StepReport) -> None:
        super().on_step(report)
        if len(self.steps) == self._after_steps:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch(self, report: EpochReport) -> None:
        super().on_epoch(report)
        if len(self.epochs) == self._after_epochs:
            os.kill(os.getpid(), signal.SIGKILL)


class DiskFiller(Recorder):
    """After the first epoch no file of this process can grow as large as a checkpoint."""

    def on_epoch(self, report: EpochReport) -> None:
        super().on_epoch(report)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (TOO_SMALL_FOR_A_CHECKPOINT, hard))


def run_in_process(config: TrainingConfig, listener: SilentListener) -> tuple[int, str]:
    """Train in a process of its own; give its exit code (minus the signal that ended it) and its error's sentence.

    The processes are forked from one that has imported torch but never used it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["atrous.training.loop"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(config, listener, sender))
    process.start()
    sender.close()
    try:
        said = receiver.recv() if receiver.poll(CHILD_TIMEOUT_S) else "said nothing in time"
    except EOFError:
        said = ""
    process.join(CHILD_TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(errno.ETIMEDOUT, "the training does not end")
    return process.exitcode, said


def _train(config: TrainingConfig, listener: SilentListener, sender: Connection) -> None:
    import torch

    from atrous.training.loop import run_training

    torch.set_num_threads(1)
    try:
        run_training(config, listener)
    except StorageError as error:
        sender.send(str(error))
        raise SystemExit(error.exit_code) from None
