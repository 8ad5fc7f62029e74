"""`atrous train`: a version in, a published model out."""

from __future__ import annotations

import json
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TextColumn

from atrous.bundle.bundle import open_bundle
from atrous.cli.engines import EngineOption, TrainSite, find_engine
from atrous.cli.home import WorkspaceOption, find_home, find_places, open_ports
from atrous.cli.precisions import describe_int8
from atrous.cli.recipes import complete_recipe
from atrous.cli.terminal import open_progress, percent, say
from atrous.core.errors import InvalidInputError
from atrous.core.ids import parse_version_id
from atrous.worker.training import has_checkpoint, require_torch, run_training_job
from atrous.workspace.trainings import resume_training, start_training
from atrous.workspace.versions import find_version

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from rich.progress import Progress

    from atrous.training.listener import EpochReport, StepReport
    from atrous.workspace.records import Model, Training, Version

LOSS_SMOOTHING = 0.9


def train(
    version: Annotated[str, typer.Argument(help="PROJECT/VERSION, such as road/1.")],
    preset: Annotated[
        str | None,
        typer.Option(help="fast, balanced or accurate decides what is left open; none: plain defaults."),
    ] = None,
    size: Annotated[str | None, typer.Option(help="s, m or l: mobilenet_v2, resnet34 or resnet101.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="A model to start from, such as road/1; classes match by name.")
    ] = None,
    architecture: Annotated[str | None, typer.Option(help="deeplabv3plus or deeplabv3.")] = None,
    encoder: Annotated[str | None, typer.Option(help="mobilenet_v2, resnet50, efficientnet-b0, tu-…")] = None,
    encoder_weights: Annotated[str | None, typer.Option(help="imagenet, none, or a file of weights.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the train pictures.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures per step.")] = None,
    optimiser: Annotated[str | None, typer.Option(help="adamw or sgd.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--lr", "--learning-rate", help="Its peak.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd.")] = None,
    encoder_lr_factor: Annotated[float | None, typer.Option(help="The encoder's share of the learning rate.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of the optimiser.")] = None,
    encoder_depth: Annotated[int | None, typer.Option(help="Stages of the encoder that are used, 4 or 5.")] = None,
    output_stride: Annotated[int | None, typer.Option(help="8 is finer and slower than 16; 0 leaves it.")] = None,
    pyramid_rate: Annotated[int | None, typer.Option(help="Smallest dilation of the pyramid.")] = None,
    norm: Annotated[str | None, typer.Option(help="batch, frozen or group.")] = None,
    decoder_channels: Annotated[int | None, typer.Option(help="Width of the decoder.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share of the pyramid's values dropped in each step.")] = None,
    class_weights: Annotated[str | None, typer.Option(help="balanced or none.")] = None,
    rare_pictures: Annotated[
        float | None, typer.Option(help="Pictures of classes that fewer than this share show are drawn more often.")
    ] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Share of each label spread over all classes.")] = None,
    hard_share: Annotated[float | None, typer.Option(help="Share of the pixels, the hardest, that count.")] = None,
    hard_below: Annotated[float | None, typer.Option(help="Pixels less sure than this count too.")] = None,
    overlap_loss: Annotated[str | None, typer.Option(help="dice, lovasz or none, beside cross-entropy.")] = None,
    overlap_weight: Annotated[float | None, typer.Option(help="How often that counts.")] = None,
    auxiliary_weight: Annotated[float | None, typer.Option(help="How often a second head's loss counts.")] = None,
    ema_horizon: Annotated[float | None, typer.Option(help="Share of steps averaged over; 0 is off.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Mirror pictures at random.")] = None,
    scale_min: Annotated[float | None, typer.Option(help="Smallest random zoom.")] = None,
    scale_max: Annotated[float | None, typer.Option(help="Largest random zoom.")] = None,
    crop_share: Annotated[float | None, typer.Option(help="Size of the crops as a share of the network's.")] = None,
    balanced_crops: Annotated[float | None, typer.Option(help="Share of the crops placed over a drawn class.")] = None,
    copy_paste: Annotated[float | None, typer.Option(help="Share of the pictures given rare classes.")] = None,
    colour_jitter: Annotated[float | None, typer.Option(help="Strength of colour changes, 0 to 1.")] = None,
    int8: Annotated[str | None, typer.Option(help="auto or off: the network in 8 bits, too.")] = None,
    validate_every: Annotated[int | None, typer.Option(help="Epochs between validations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    devices: Annotated[int | None, typer.Option(help="GPUs that share each batch.")] = None,
    deterministic: Annotated[
        bool | None, typer.Option("--deterministic/--no-deterministic", help="The same weights each time.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes preparing pictures; -1 chooses. With --engine: machines or GPUs sharing batches."),
    ] = None,
    engine: EngineOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest unfinished training.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Train a model on a version and publish it as PROJECT/VERSION.

    Ctrl-C ends after a checkpoint; a stopped or killed training goes on with --resume and reaches the same weights.
    """
    chosen = {name: value for name, value in locals().items() if name in RECIPE_OPTIONS and value is not None}
    ports, slug = open_ports(workspace)
    found = find_version(ports, slug, parse_version_id(version))
    runs = find_home() / "runs"
    require_torch()
    cluster = find_engine(engine) if engine else None
    if cluster and not resume:
        _count_ranks(chosen)
    if resume:
        chosen |= {name: value for name, value in (("size", size), ("from", start)) if value is not None}
        if chosen:
            raise InvalidInputError(f"--resume keeps the recipe it began with; leave out {_flags(chosen)}")
        training = resume_training(ports, found, has_checkpoint=lambda one: has_checkpoint(runs / one.id))
    else:
        recipe = complete_recipe(ports, found, chosen, size=size, start=start)
        training = start_training(ports, found, recipe.as_json())
    say(f"training {found.id} ({training.id}): {_describe(training)}")
    with TerminalListener(training.recipe["epochs"]) as listener:
        model = run_training_job(
            ports,
            training,
            found,
            run_folder=runs / training.id,
            listener=listener,
            resume=resume,
            trainer=partial(cluster.train, _find_site(found)) if cluster else None,
        )
    _say_end(model, ports.bundles.locate(model.workspace, model.slug))


RECIPE_OPTIONS = frozenset(train.__annotations__) - {
    "version",
    "size",
    "start",
    "engine",
    "resume",
    "workspace",
    "return",
}


def _count_ranks(chosen: dict[str, Any]) -> None:
    """With an engine, workers are what devices are without; each prepares its own pictures as it sees fit."""
    if "devices" in chosen:
        raise InvalidInputError(
            "--devices: --workers says how many share a batch beside --engine; leave one of them out"
        )
    chosen["devices"] = chosen.pop("workers", 1)


def _find_site(version: Version) -> TrainSite:
    blobs_url = find_places().blobs_url
    return TrainSite(version.workspace, version.id, blobs_url if blobs_url.startswith("s3://") else "")


class TerminalListener:
    """A progress bar on stderr, a line of JSON an epoch on stdout, and Ctrl-C as a wish to stop."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._progress: Progress = open_progress(
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("mIoU {task.fields[miou]}"),
            TextColumn("{task.fields[rate]} pictures/s"),
        )
        self._task = self._progress.add_task("epoch 1", total=None, loss="…", miou="…", rate="…")
        self._loss: float | None = None
        self._stopping = threading.Event()
        self._previous_handler: Any = None

    def __enter__(self) -> TerminalListener:
        self._previous_handler = signal.signal(signal.SIGINT, self._on_interrupt)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        signal.signal(signal.SIGINT, self._previous_handler)

    def on_step(self, report: StepReport) -> None:
        """Move the bar."""
        blend = LOSS_SMOOTHING if self._loss is not None else 0.0
        self._loss = blend * (self._loss or 0.0) + (1 - blend) * report.loss
        epoch = 1 + (report.step - 1) * self._epochs // report.total_steps
        self._progress.update(
            self._task,
            completed=report.step,
            total=report.total_steps,
            description=f"epoch {epoch}/{self._epochs}",
            loss=f"{self._loss:.3f}",
        )

    def on_epoch(self, report: EpochReport) -> None:
        """Print the epoch as a line of JSON."""
        self._progress.update(self._task, rate=f"{report.pictures_per_s:.1f}")
        if report.miou is not None:
            self._progress.update(self._task, miou=f"{report.miou:.3f}")
        typer.echo(json.dumps(report.as_json()))

    def should_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._stopping.is_set()

    def should_finish(self) -> bool:
        """Never before the last epoch."""
        return False

    def _on_interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt
        self._stopping.set()
        say("stopping after this batch; press Ctrl-C again to stop at once, without its checkpoint")


def _describe(training: Training) -> str:
    recipe = training.recipe
    return (
        f"{recipe['architecture']}, {recipe['encoder']}, weights {recipe['encoder_weights']}, {recipe['epochs']} epochs"
    )


def _flags(chosen: dict[str, Any]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in chosen)


def _say_end(model: Model, bundle: Path) -> None:
    say(
        f"published {model.version_id} as {model.workspace}/{model.slug}: "
        f"mIoU {percent(model.metrics['miou'])} on valid by plain winner, "
        f"{percent(model.metrics['served_miou'])} as served"
    )
    say(describe_int8(model.metrics))
    say(f"weights sha256 {open_bundle(bundle).manifest.recipe['weights_sha256']}")
    say(f"next: atrous evaluate {model.version_id}   atrous serve")
