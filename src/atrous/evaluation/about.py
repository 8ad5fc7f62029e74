"""What was evaluated: where model and pictures come from, and how quick the model is."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from atrous.bundle.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Network:
    """One of a model's networks, as it was scored when the model was published.

    Attributes:
        precision: `fp32` or `int8`.
        mean_iou: on valid by plain winner; None if unknown.
        size_bytes: of its file; None if unknown.
    """

    precision: str
    mean_iou: float | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Speed:
    """How quick one of a model's networks is on this machine.

    Attributes:
        precision: `fp32` or `int8`.
        backend: the inference library that ran it.
        median_ms: from pixels to the answer; reading the file is not in it.
        pictures: how many were timed.
        machine: in words.
    """

    precision: str
    backend: str
    median_ms: float
    pictures: int
    machine: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """A point of the learning curves.

    Attributes:
        number: counted from 1.
        loss: mean over the epoch's batches.
        mean_iou: on valid by plain winner; None where the epoch was not validated.
    """

    number: int
    loss: float
    mean_iou: float | None


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated.

    Attributes:
        version: `project/number` that the pictures come from.
        model: id of the model, as users write it.
        split: train, valid or test.
        date: when, with its time zone.
        networks: of the model; the first is the one that was evaluated.
        tile: `off`, or how large pictures were cut: `auto` or the side of a tile in pixels.
        tile_overlap: share of a tile that its neighbour saw too; None if they were not cut.
        glances: how each picture was seen for the scores where that was more than once; empty if it was seen as served.
        int8_reason: why there is none in 8 bits, as a sentence; empty if there is one, or nothing is known.
        epochs: of the training; empty where nothing is known of it.
        speeds: of the networks; empty if they were not timed.
        manifest: what made the model; None if it is not told.
        against: id of a model that it is compared with; empty if there is none.
        against_version: `project/number` that this one was trained on; empty if there is none.
    """

    version: str
    model: str
    split: str
    date: datetime
    networks: tuple[Network, ...] = ()
    int8_reason: str = ""
    tile: str = "off"
    tile_overlap: float | None = None
    glances: str = ""
    epochs: tuple[Epoch, ...] = ()
    speeds: tuple[Speed, ...] = ()
    manifest: Manifest | None = None
    against: str = ""
    against_version: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values; the date in ISO 8601; of the manifest all but the scores, as they are another evaluation's."""
        written = asdict(self) | {"date": self.date.isoformat(), "made_by": None}
        del written["manifest"]
        if self.manifest:
            written["made_by"] = asdict(self.manifest)
            del written["made_by"]["metrics"]
        return written


def read_epochs(told: Iterable[Mapping[str, Any]]) -> tuple[Epoch, ...]:
    """The points of the learning curves, from the figures of the epochs that a training recorded.

    Epochs without a finite loss are left out: those of a training that went astray, or of another release.
    """
    return tuple(
        Epoch(int(figures["epoch"]), float(figures["loss"]), figures.get("miou"))
        for figures in told
        if "epoch" in figures and math.isfinite(figures.get("loss", math.nan))
    )
