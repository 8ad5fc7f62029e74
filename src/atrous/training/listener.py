"""What a training tells while it runs, and how it is asked to end early."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class StepReport:
    """After each batch."""

    step: int
    total_steps: int
    loss: float
    pictures: int


@dataclass(frozen=True, slots=True)
class EpochReport:
    """After each epoch.

    Attributes:
        epoch: counted from 1.
        loss: mean over the epoch's batches.
        miou: mean IoU on valid by plain winner at the pictures' own sizes, with as much of the class weights taken out
            as is best; None where the epoch was not validated.
        is_best: whether no epoch before had a higher one.
        pictures_per_s: training pictures over the time of training, validation left out.
        data_wait_share: how much of that time went by until the next batch was there, 0 to 1; beside a GPU, which
            goes on with the batch before, an upper limit of what was lost.
        seconds: training and validation.
    """

    epoch: int
    epochs: int
    loss: float
    miou: float | None
    is_best: bool
    learning_rate: float
    pictures_per_s: float
    data_wait_share: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return asdict(self)


class Listener(Protocol):
    """Follows a training."""

    def on_step(self, report: StepReport) -> None:
        """Called after each batch."""
        ...

    def on_epoch(self, report: EpochReport) -> None:
        """Called after each epoch."""
        ...

    def should_stop(self) -> bool:
        """Asked after each batch and each epoch; True ends the training cleanly, after a checkpoint."""
        ...

    def should_finish(self) -> bool:
        """Asked after each batch and each epoch; True makes the best weights so far the training's result."""
        ...


class SilentListener:
    """Follows nothing and never stops."""

    def on_step(self, report: StepReport) -> None:
        """Ignore."""

    def on_epoch(self, report: EpochReport) -> None:
        """Ignore."""

    def should_stop(self) -> bool:
        """Never."""
        return False

    def should_finish(self) -> bool:
        """Never before the last epoch."""
        return False
