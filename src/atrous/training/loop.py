"""The loop. Everything random in it depends on seed, epoch and step alone, so that a resumed run repeats history.

A run folder holds `last.pt` (all that is needed to go on), `best.pt` (the averaged weights of the best epoch) and
`log.jsonl` (a line an epoch).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning_fabric import Fabric

from atrous.core.errors import InvalidInputError, StoppedError, StorageError
from atrous.datasets.content import count_class_pixels
from atrous.datasets.splits import Split
from atrous.models.architectures import Shape, build_network
from atrous.models.pretrained import load_start
from atrous.training.average import WeightAverage
from atrous.training.batches import (
    SEED_STRIDE,
    AugmentedSamples,
    FittedSamples,
    count_workers,
    epoch_order,
    load_batches,
)
from atrous.training.checkpoint import BEST, LAST, hash_weights, load_checkpoint, save_checkpoint
from atrous.training.listener import EpochReport, Listener, SilentListener, StepReport
from atrous.training.optimiser import (
    MAX_GRADIENT_NORM,
    VoidCrossEntropy,
    make_optimiser,
    set_learning_rate,
    weigh_classes,
)
from atrous.training.validation import validate

if TYPE_CHECKING:
    from torch import Tensor

    from atrous.datasets.content import Sample
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.recipe import TrainingConfig

LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a finished training gives: the averaged weights of its best epoch.

    Attributes:
        weights: state dict of the network of segmentation-models-pytorch, on the CPU.
        weights_sha256: over names, shapes and values.
    """

    weights: dict[str, Tensor]
    weights_sha256: str
    best_epoch: int
    best_miou: float


@dataclass(slots=True)
class _Progress:
    """Where a training stands; saved with every checkpoint."""

    epoch: int = 0
    step_in_epoch: int = 0
    loss_sum: float = 0.0
    best_miou: float = -1.0
    best_epoch: int = 0


def run_training(config: TrainingConfig, listener: Listener | None = None) -> TrainingResult:
    """Train to the last epoch, or to the batch after which the listener has enough, from the last checkpoint if any.

    Raises:
        InvalidInputError: if a split is empty or the recipe names something unknown.
        UnavailableError: if pretrained weights cannot be fetched.
        StorageError: if the disk refuses a checkpoint.
        StoppedError: if the listener asked to stop; a checkpoint was written.
    """
    run = _Run(config, listener or SilentListener())
    run.restore()
    while not run.is_finished():
        run.train_epoch()
    return run.result()


class _Run:
    """One training in memory."""

    def __init__(self, config: TrainingConfig, listener: Listener) -> None:
        recipe = config.recipe
        self.config, self.recipe, self.listener = config, recipe, listener
        self.train = _choose(config, Split.TRAIN)
        self.valid = _choose(config, Split.VALID)
        if recipe.device == "cuda" and not torch.cuda.is_available():
            raise InvalidInputError("--device cuda: torch finds no GPU here; choose cpu, or install torch for CUDA")
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        # A quarter of the time on a CPU, and of use only to find code that reads memory it never wrote.
        cast("Any", torch.utils.deterministic).fill_uninitialized_memory = False
        torch.manual_seed(recipe.seed)
        self.fabric = Fabric(accelerator=recipe.device, devices=1, precision=recipe.precision)  # pyright: ignore[reportArgumentType]
        shape = Shape(recipe.encoder_depth, recipe.decoder_channels, recipe.dropout)
        network = build_network(recipe.architecture, recipe.encoder, len(config.class_map), shape)
        if not (config.resume and (config.run_folder / LAST).is_file()):
            load_start(network, recipe.encoder, recipe.encoder_weights)
        network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.workers = count_workers(recipe, self.fabric.device.type)
        fitted = FittedSamples(self.train, config.preprocessing, cached=self.workers == 0)
        self.samples = AugmentedSamples(fitted, config.preprocessing, recipe)
        self.network: SegmentationNetwork = network.to(self.fabric.device)
        self.model, self.optimiser = self.fabric.setup(self.network, make_optimiser(self.network, recipe))
        weights_K = None
        if recipe.class_weights == "balanced":
            weights_K = weigh_classes(count_class_pixels(self.train, len(config.class_map)))
        self.loss = VoidCrossEntropy(weights_K).to(self.fabric.device)
        self.steps_per_epoch = len(epoch_order(recipe.seed, 0, len(self.train), recipe.batch_size))
        self.total_steps = self.steps_per_epoch * recipe.epochs
        self.average = WeightAverage(self.network, horizon_steps=recipe.ema_horizon * self.total_steps)
        self.progress = _Progress()

    def restore(self) -> None:
        """Go on from the last checkpoint, if that was asked for and there is one."""
        content = load_checkpoint(self.config.run_folder / LAST) if self.config.resume else None
        if content is not None:
            self.network.load_state_dict(content["network"])
            self.average.network.load_state_dict(content["average"])
            self.optimiser.optimizer.load_state_dict(content["optimiser"])
            self.fabric.strategy.precision.load_state_dict(content["precision"])
            self.progress = _Progress(**content["progress"])
        _cut_log(self.config, self.progress.epoch)

    def is_finished(self) -> bool:
        """Whether there are weights to give, and no more are wanted."""
        if self.progress.epoch >= self.recipe.epochs:
            return True
        return self.progress.best_epoch > 0 and self.listener.should_finish()

    def train_epoch(self) -> None:
        """Run one epoch, or what is left of it; checkpoint at its end, or where the listener has enough."""
        started = time.perf_counter()
        progress = self.progress
        order = epoch_order(self.recipe.seed, progress.epoch, len(self.train), self.recipe.batch_size)
        remaining = order[progress.step_in_epoch :]
        batches = load_batches(self.samples, remaining, epoch=progress.epoch, workers=self.workers)
        rate = 0.0
        for indices, (input_BCHW, mask_BHW) in zip(remaining, batches, strict=True):
            rate = self._train_batch(input_BCHW, mask_BHW, len(indices))
            if self.listener.should_finish() and progress.step_in_epoch < self.steps_per_epoch:
                self._cut_short()
                return
        trained_s = time.perf_counter() - started
        miou, is_best = self._validate(at_once=progress.best_epoch == 0 and self.listener.should_finish())
        report = EpochReport(
            epoch=progress.epoch + 1,
            epochs=self.recipe.epochs,
            loss=progress.loss_sum / len(order),
            miou=miou,
            is_best=is_best,
            learning_rate=rate,
            pictures_per_s=sum(map(len, remaining)) / trained_s,
            seconds=time.perf_counter() - started,
        )
        progress.epoch, progress.step_in_epoch, progress.loss_sum = progress.epoch + 1, 0, 0.0
        # Before the checkpoint: a line too many is cut when the epoch is repeated, one too few would stay missing.
        _append_line(self.config, report)
        self._checkpoint()
        self.listener.on_epoch(report)
        if self.listener.should_stop() and progress.epoch < self.recipe.epochs:
            raise StoppedError(
                f"stopped after epoch {progress.epoch} of {self.recipe.epochs} and a checkpoint; go on with --resume"
            )

    def _cut_short(self) -> None:
        """End inside an epoch; where none was validated yet, these weights are the best."""
        if self.progress.best_epoch == 0:
            self._validate(at_once=True)
        self._checkpoint()

    def result(self) -> TrainingResult:
        """Read the best epoch's weights back."""
        content = load_checkpoint(self.config.run_folder / BEST)
        if content is None:
            raise InvalidInputError(f"{self.config.run_folder / BEST}: missing; start this training again")
        return TrainingResult(
            weights=content["weights"],
            weights_sha256=hash_weights(content["weights"]),
            best_epoch=content["epoch"],
            best_miou=content["miou"],
        )

    def _train_batch(self, input_BCHW: Tensor, mask_BHW: Tensor, pictures: int) -> float:
        progress = self.progress
        step = progress.epoch * self.steps_per_epoch + progress.step_in_epoch
        rate = set_learning_rate(self.optimiser.optimizer, self.recipe, step, self.total_steps)
        # Dropout draws from here: reseeded each step, so that a resumed run draws the same on any device.
        torch.manual_seed(self.recipe.seed * SEED_STRIDE + step)
        self.model.train()
        inputs = input_BCHW.to(self.fabric.device, memory_format=torch.channels_last, non_blocking=True)
        loss = self.loss(self.model(inputs), mask_BHW.to(self.fabric.device, non_blocking=True))
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimiser, max_norm=MAX_GRADIENT_NORM)
        self.optimiser.step()
        self.average.update(self.network, step)
        loss_value = loss.item()
        progress.step_in_epoch += 1
        progress.loss_sum += loss_value
        self.listener.on_step(StepReport(step + 1, self.total_steps, loss_value, pictures))
        if self.listener.should_stop() and progress.step_in_epoch < self.steps_per_epoch:
            self._checkpoint()
            raise StoppedError(
                f"stopped in epoch {progress.epoch + 1} of {self.recipe.epochs} after a checkpoint; go on with --resume"
            )
        return rate

    def _validate(self, *, at_once: bool) -> tuple[float | None, bool]:
        epoch = self.progress.epoch + 1
        if not at_once and epoch % self.recipe.validate_every and epoch != self.recipe.epochs:
            return None, False
        miou = validate(self.average.network, self.valid, self.config, self.fabric.device)
        if miou is None:
            raise InvalidInputError("every label of the valid pictures is void; label some and make a new version")
        is_best = miou > self.progress.best_miou
        if is_best:
            self.progress.best_miou, self.progress.best_epoch = miou, epoch
            weights = {name: tensor.cpu().contiguous() for name, tensor in _inner_state(self.average).items()}
            save_checkpoint(self.config.run_folder / BEST, {"weights": weights, "epoch": epoch, "miou": miou})
        return miou, is_best

    def _checkpoint(self) -> None:
        progress = self.progress
        content = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimiser": self.optimiser.optimizer.state_dict(),
            "progress": {name: getattr(progress, name) for name in _Progress.__slots__},
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        save_checkpoint(self.config.run_folder / LAST, content)


def _inner_state(average: WeightAverage[SegmentationNetwork]) -> dict[str, Any]:
    inner: Any = average.network.network
    return inner.state_dict()


def _choose(config: TrainingConfig, split: Split) -> list[Sample]:
    chosen = [sample for sample in config.samples if sample.split is split]
    if not chosen:
        raise InvalidInputError(f"the version has no {split} pictures; import some and make a new version")
    return chosen


def _cut_log(config: TrainingConfig, epochs: int) -> None:
    """Keep the lines of the epochs that the checkpoint knows."""
    path = config.run_folder / LOG
    if path.is_file():
        lines = path.read_bytes().splitlines(keepends=True)
        os.truncate(path, sum(map(len, lines[:epochs])))


def _append_line(config: TrainingConfig, report: EpochReport) -> None:
    path = config.run_folder / LOG
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(report.as_json()) + "\n")
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}); free space and go on with --resume"
        ) from error
