"""The loop. Everything random in it depends on seed, epoch and step alone, so that a resumed run repeats history.

Several processes can run it together: `ranks.py` says which one this is.

A run folder holds `last.pt` (all that is needed to go on), `best.pt` (the averaged weights of the best epoch) and
`log.jsonl` (a line an epoch).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from math import ceil
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric import Fabric
from torch.nn.parallel import DistributedDataParallel

from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidInputError, StoppedError
from atrous.datasets.content import count_picture_pixels
from atrous.datasets.splits import Split
from atrous.models.architectures import build_network, read_shape
from atrous.models.last_layer import shift_classes
from atrous.models.pretrained import load_start
from atrous.training.average import WeightAverage
from atrous.training.batches import (
    SEED_STRIDE,
    AugmentedSamples,
    BatchLoader,
    FittedSamples,
    count_workers,
    epoch_order,
)
from atrous.training.checkpoint import BEST, LAST, hash_weights, load_checkpoint, save_checkpoint
from atrous.training.copy_paste import Donors
from atrous.training.cross_entropy import weigh_classes
from atrous.training.decoded import open_decoded
from atrous.training.feed import Feed
from atrous.training.launch import launch_ranks
from atrous.training.listener import EpochReport, Listener, SilentListener, StepReport
from atrous.training.log import append_line, cut_log
from atrous.training.logit_adjustment import Weighing, list_weighings
from atrous.training.loss import TrainingLoss
from atrous.training.optimiser import MAX_GRADIENT_NORM, make_optimiser, set_learning_rate
from atrous.training.ranks import choose_gpu, find_ranks, is_launched
from atrous.training.repeatability import describe_surroundings, make_repeatable
from atrous.training.sampling import weigh_pictures
from atrous.training.shortage import explain_shortage
from atrous.training.start import find_rows
from atrous.training.synced_norm import set_synced, synchronise_norms
from atrous.training.validation import UNSHIFTED, validate

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from atrous.datasets.content import Sample
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.feed import Batch
    from atrous.training.recipe import Recipe, TrainingConfig

# Apart from all seeds that a first rank uses.
RANK_STRIDE = 2**48


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a finished training gives: the averaged weights of its best epoch.

    Attributes:
        weights: state dict of the network of segmentation-models-pytorch, on the CPU.
        weights_sha256: over names, shapes and values.
        weighing: of classes; None if the loss weighed none.
        surroundings: all beside version and recipe that the weights depend on, such as the release of torch.
    """

    weights: dict[str, Tensor]
    weights_sha256: str
    best_epoch: int
    best_miou: float
    weighing: Weighing | None
    surroundings: dict[str, Any]

    def list_adjustments(self) -> list[float]:
        """How much of each class's weight was taken out of the answers again, by id; empty if none was weighed."""
        return [float(adjustment) for adjustment in self.weighing.adjustments_K] if self.weighing else []


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

    A recipe of several devices is trained by as many processes: those that whoever calls this has started and joined
    by torch.distributed, each of which calls this, or else processes that are started here.

    Raises:
        InvalidInputError: if a split is empty, the recipe names something unknown or a device has too little memory.
        UnavailableError: if pretrained weights cannot be fetched, or a process was killed.
        StorageError: if the disk refuses a checkpoint.
        StoppedError: if the listener asked to stop; a checkpoint was written.
    """
    listener = listener or SilentListener()
    if config.recipe.devices > 1 and not is_launched():
        launch_ranks(run_training, config, listener)
        return read_training(config.run_folder)
    with explain_shortage(config.recipe, config.preprocessing.size):
        run = _Run(config, listener)
        run.restore()
        while not run.is_finished():
            run.train_epoch()
    return read_training(config.run_folder)


def read_training(run_folder: Path) -> TrainingResult:
    """Read the best epoch's weights of a training that has ended.

    Raises:
        InvalidInputError: if there are none.
    """
    content = load_checkpoint(run_folder / BEST)
    if content is None:
        raise InvalidInputError(f"{run_folder / BEST}: missing; start this training again")
    return TrainingResult(
        weights=content["weights"],
        weights_sha256=hash_weights(content["weights"]),
        best_epoch=content["epoch"],
        best_miou=content["miou"],
        weighing=_read_weighing(content.get("weighing")),
        surroundings=content.get("surroundings", {}),
    )


class _Run:
    """One training in memory."""

    def __init__(self, config: TrainingConfig, listener: Listener) -> None:
        recipe = config.recipe
        self.config, self.recipe, self.listener = config, recipe, listener
        self.train = _choose(config, Split.TRAIN)
        self.valid = _choose(config, Split.VALID)
        make_repeatable(recipe)
        self.fabric = _open_device(recipe)
        self.device = self.fabric.device
        self.ranks = find_ranks(self.device)
        self.network = _make_network(config).to(self.device)
        model: Any = self.network
        if self.ranks.count > 1:
            synchronise_norms(self.network, self.ranks)
            # Static, as an encoder can have weights that no step uses.
            model = DistributedDataParallel(self.network, static_graph=True)
        self.model, self.optimiser = self.fabric.setup(model, make_optimiser(self.network, recipe))
        # Every mask is looked at, whatever the recipe: a wrong one is found before a batch has it.
        pixels_PK = count_picture_pixels(self.train, len(config.class_map))
        weights_K = weigh_classes(pixels_PK.sum(axis=0)) if recipe.class_weights == "balanced" else None
        self.loss = TrainingLoss(recipe, weights_K).to(self.device)
        self.weighings = list_weighings(weights_K)
        self.weights_P = weigh_pictures(pixels_PK, recipe.rare_pictures) if recipe.rare_pictures else None
        self.loader = self._open_loader(Donors(pixels_PK, recipe.copy_paste) if recipe.copy_paste else None)
        self.steps_per_epoch = ceil(len(self.train) / recipe.batch_size)
        self.total_steps = self.steps_per_epoch * recipe.epochs
        self.average = WeightAverage(self.network, horizon_steps=recipe.ema_horizon * self.total_steps)
        self.progress = _Progress()

    def _open_loader(self, donors: Donors | None) -> BatchLoader:
        preprocessing = self.config.preprocessing
        decoded = open_decoded(self.config.run_folder, len(self.train), preprocessing.size, self.ranks)
        samples = AugmentedSamples(
            FittedSamples(self.train, preprocessing, decoded), preprocessing, self.recipe, donors
        )
        on_gpu = self.device.type == "cuda"
        return BatchLoader(samples, workers=count_workers(self.recipe, self.device.type), pinned=on_gpu)

    def restore(self) -> None:
        """Go on from the last checkpoint, if that was asked for and there is one."""
        content = load_checkpoint(self.config.run_folder / LAST) if self.config.resume else None
        if content is not None:
            self.network.load_state_dict(content["network"])
            self.average.network.load_state_dict(content["average"])
            self.optimiser.optimizer.load_state_dict(content["optimiser"])
            self.fabric.strategy.precision.load_state_dict(content["precision"])
            self.progress = _Progress(**content["progress"])
        if self.ranks.is_first:
            cut_log(self.config.run_folder, self.progress.epoch)

    def is_finished(self) -> bool:
        """Whether there are weights to give, and no more are wanted."""
        if self.progress.epoch >= self.recipe.epochs:
            return True
        return self.progress.best_epoch > 0 and self._has_enough()

    def train_epoch(self) -> None:
        """Run one epoch, or what is left of it; checkpoint at its end, or where the listener has enough."""
        started = time.perf_counter()
        progress = self.progress
        order = epoch_order(self.recipe.seed, progress.epoch, len(self.train), self.recipe.batch_size, self.weights_P)
        remaining = order[progress.step_in_epoch :]
        own = [self.ranks.deal(batch) for batch in remaining]
        feed = Feed(self.loader.load(own, epoch=progress.epoch), self.config.preprocessing, self.device)
        rate = 0.0
        for indices in remaining:
            set_synced(self.network, is_synced=self.ranks.splits(indices))
            rate = self._train_batch(feed, len(indices))
            if progress.step_in_epoch < self.steps_per_epoch:
                self._heed_stop(f"in epoch {progress.epoch + 1} of {self.recipe.epochs} after a checkpoint", save=True)
                if self._has_enough():
                    self._cut_short()
                    return
        trained_s = time.perf_counter() - started
        miou, is_best = self._validate(at_once=progress.best_epoch == 0 and self._has_enough())
        report = EpochReport(
            epoch=progress.epoch + 1,
            epochs=self.recipe.epochs,
            loss=progress.loss_sum / len(order),
            miou=miou,
            is_best=is_best,
            learning_rate=rate,
            pictures_per_s=sum(map(len, remaining)) / trained_s,
            data_wait_share=feed.waited_s / trained_s,
            seconds=time.perf_counter() - started,
        )
        self._end_epoch(report)

    def _end_epoch(self, report: EpochReport) -> None:
        progress = self.progress
        progress.epoch, progress.step_in_epoch, progress.loss_sum = progress.epoch + 1, 0, 0.0
        if self.ranks.is_first:
            # Before the checkpoint: a line too many is cut when the epoch is repeated, one too few would stay missing.
            append_line(self.config.run_folder, report)
        self._checkpoint()
        if self.ranks.is_first:
            self.listener.on_epoch(report)
        if progress.epoch < self.recipe.epochs:
            self._heed_stop(f"after epoch {progress.epoch} of {self.recipe.epochs} and a checkpoint", save=False)

    def _has_enough(self) -> bool:
        return self.ranks.hear(self.ranks.is_first and self.listener.should_finish())[0]

    def _heed_stop(self, where: str, *, save: bool) -> None:
        """End where the listener wants it."""
        if self.ranks.hear(self.ranks.is_first and self.listener.should_stop())[0]:
            if save:
                self._checkpoint()
            raise StoppedError(f"stopped {where}; go on with --resume")

    def _cut_short(self) -> None:
        """End inside an epoch; where none was validated yet, these weights are the best."""
        if self.progress.best_epoch == 0:
            self._validate(at_once=True)
        self._checkpoint()

    def _train_batch(self, feed: Feed, pictures: int) -> float:
        progress = self.progress
        step = progress.epoch * self.steps_per_epoch + progress.step_in_epoch
        rate = set_learning_rate(self.optimiser.optimizer, self.recipe, step, self.total_steps)
        batch = feed.take()
        # Dropout draws from here: reseeded each step, so that a resumed run draws the same on any device. Whatever a
        # loader draws comes before.
        torch.manual_seed(self.recipe.seed * SEED_STRIDE + step + self.ranks.index * RANK_STRIDE)
        loss = self._step(batch)
        self.average.update(self.network, step)
        feed.prepare()
        loss_value = self.ranks.add(loss).item() / self.ranks.count
        progress.step_in_epoch += 1
        progress.loss_sum += loss_value
        if self.ranks.is_first:
            self.listener.on_step(StepReport(step + 1, self.total_steps, loss_value, pictures))
        return rate

    def _step(self, batch: Batch) -> Tensor:
        """Change the weights; give this rank's part of the loss."""
        self.model.train()
        loss = self.loss(self.model(batch.input_BCHW), batch.mask_BHW)
        if self.ranks.count > 1:
            loss = loss * self._find_share(batch.mask_BHW)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimiser, max_norm=MAX_GRADIENT_NORM)
        self.optimiser.step()
        return loss.detach()

    def _find_share(self, mask_BHW: Tensor) -> Tensor:
        """How much this rank's mean over labelled pixels counts, so that the ranks' mean is that of the whole batch."""
        labelled = (mask_BHW != VOID_ID).sum()
        return self.ranks.count * labelled / self.ranks.add(labelled).clamp(min=1)

    def _validate(self, *, at_once: bool) -> tuple[float | None, bool]:
        epoch = self.progress.epoch + 1
        if not at_once and epoch % self.recipe.validate_every and epoch != self.recipe.epochs:
            return None, False
        shifts = [weighing.find_shift() if weighing else UNSHIFTED for weighing in self.weighings]
        mious = validate(self.average.network, self.valid, self.config, self.device, self.ranks, shifts=shifts)
        if mious is None:
            raise InvalidInputError("every label of the valid pictures is void; label some and make a new version")
        # Of equals the one that takes out least.
        miou, weighing = max(zip(mious, self.weighings, strict=True), key=itemgetter(0))
        is_best = miou > self.progress.best_miou
        if is_best:
            self.progress.best_miou, self.progress.best_epoch = miou, epoch
            if self.ranks.is_first:
                self._keep_best(epoch, miou, weighing)
        return miou, is_best

    def _keep_best(self, epoch: int, miou: float, weighing: Weighing | None) -> None:
        weights = _inner_state(self.average)
        if weighing:
            weights = shift_classes(weights, torch.from_numpy(weighing.find_shift()))
        content = {
            "weights": {name: tensor.cpu().contiguous() for name, tensor in weights.items()},
            "epoch": epoch,
            "miou": miou,
            "weighing": _write_weighing(weighing),
            "surroundings": describe_surroundings(self.ranks, self.device),
        }
        save_checkpoint(self.config.run_folder / BEST, content)

    def _checkpoint(self) -> None:
        if self.ranks.is_first:
            self._keep_last()
        # None goes on, or ends, before what all would resume from is there.
        self.ranks.wait()

    def _keep_last(self) -> None:
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


def _write_weighing(weighing: Weighing | None) -> dict[str, Tensor] | None:
    if weighing is None:
        return None
    return {field.name: torch.from_numpy(getattr(weighing, field.name)) for field in fields(weighing)}


def _read_weighing(content: dict[str, Tensor] | None) -> Weighing | None:
    return Weighing(**{name: value.numpy() for name, value in content.items()}) if content else None


def _choose(config: TrainingConfig, split: Split) -> list[Sample]:
    chosen = [sample for sample in config.samples if sample.split is split]
    if not chosen:
        raise InvalidInputError(f"the version has no {split} pictures; import some and make a new version")
    return chosen


def _open_device(recipe: Recipe) -> Fabric:
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise InvalidInputError("--device cuda: torch finds no GPU here; choose cpu, or install torch for CUDA")
    on_gpu = recipe.device != "cpu" and torch.cuda.is_available()
    devices = [choose_gpu()] if on_gpu else 1
    return Fabric(accelerator=recipe.device, devices=devices, precision=recipe.precision)  # pyright: ignore[reportArgumentType]


def _make_network(config: TrainingConfig) -> SegmentationNetwork:
    """A network at its start; what a checkpoint will bring needs none."""
    recipe = config.recipe
    network = build_network(
        recipe.architecture,
        recipe.encoder,
        len(config.class_map),
        read_shape(recipe.as_json()),
        auxiliary=recipe.auxiliary_weight > 0,
    )
    if not (config.resume and (config.run_folder / LAST).is_file()):
        rows_K = find_rows(recipe.encoder_weights, config.class_map)
        load_start(network, recipe.encoder, recipe.encoder_weights, rows_K=rows_K)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
