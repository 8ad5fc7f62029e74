"""`atrous train`: a version in, a published model out."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TextColumn

from atrous.cli.home import WorkspaceOption, find_home, open_ports
from atrous.cli.precisions import describe_int8
from atrous.cli.terminal import open_progress, percent, say
from atrous.core.errors import InvalidInputError
from atrous.core.ids import parse_version_id
from atrous.worker.training import has_checkpoint, require_torch, run_training_job
from atrous.workspace.trainings import resume_training, start_training
from atrous.workspace.versions import find_version

if TYPE_CHECKING:
    from types import FrameType

    from rich.progress import Progress

    from atrous.training.listener import EpochReport, StepReport
    from atrous.workspace.records import Model

LOSS_SMOOTHING = 0.9


def train(
    version: Annotated[str, typer.Argument(help="PROJECT/VERSION, such as road/1.")],
    architecture: Annotated[str | None, typer.Option(help="deeplabv3plus or deeplabv3.")] = None,
    encoder: Annotated[str | None, typer.Option(help="mobilenet_v2, resnet50, efficientnet-b0, tu-…")] = None,
    encoder_weights: Annotated[str | None, typer.Option(help="imagenet, none, or a file of weights.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the train pictures.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--lr", "--learning-rate", help="Peak of AdamW.")] = None,
    encoder_lr_factor: Annotated[float | None, typer.Option(help="The encoder's share of it.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of AdamW.")] = None,
    encoder_depth: Annotated[int | None, typer.Option(help="Stages of the encoder that are used, 4 or 5.")] = None,
    decoder_channels: Annotated[int | None, typer.Option(help="Width of the decoder.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share of the pyramid's values dropped in each step.")] = None,
    class_weights: Annotated[str | None, typer.Option(help="balanced or none.")] = None,
    ema_horizon: Annotated[float | None, typer.Option(help="Share of steps averaged over; 0 is off.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Mirror pictures at random.")] = None,
    scale_min: Annotated[float | None, typer.Option(help="Smallest random zoom.")] = None,
    scale_max: Annotated[float | None, typer.Option(help="Largest random zoom.")] = None,
    colour_jitter: Annotated[float | None, typer.Option(help="Strength of colour changes, 0 to 1.")] = None,
    int8: Annotated[str | None, typer.Option(help="auto or off: the network in 8 bits, too.")] = None,
    validate_every: Annotated[int | None, typer.Option(help="Epochs between validations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    precision: Annotated[str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes preparing pictures; -1 chooses.")] = None,
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
    if resume:
        if chosen:
            raise InvalidInputError(f"--resume keeps the recipe it began with; leave out {_flags(chosen)}")
        training = resume_training(ports, found, has_checkpoint=lambda one: has_checkpoint(runs / one.id))
    else:
        training = start_training(ports, found, _complete_recipe(chosen))
    recipe = training.recipe
    say(
        f"training {found.id} ({training.id}): {recipe['architecture']}, {recipe['encoder']}, "
        f"weights {recipe['encoder_weights']}, {recipe['epochs']} epochs"
    )
    with TerminalListener(recipe["epochs"]) as listener:
        model = run_training_job(
            ports, training, found, run_folder=runs / training.id, listener=listener, resume=resume
        )
    _say_end(model)


RECIPE_OPTIONS = frozenset(train.__annotations__) - {"version", "resume", "workspace", "return"}


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


def _complete_recipe(chosen: dict[str, Any]) -> dict[str, Any]:
    from atrous.training.recipe import Recipe

    return Recipe(**chosen).as_json()


def _flags(chosen: dict[str, Any]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in chosen)


def _say_end(model: Model) -> None:
    say(
        f"published {model.version_id} as {model.workspace}/{model.slug}: "
        f"mIoU {percent(model.metrics['miou'])} on valid by plain winner, "
        f"{percent(model.metrics['served_miou'])} as served"
    )
    say(describe_int8(model.metrics))
    say(f"next: atrous evaluate {model.version_id}   atrous serve")
