"""One process of a training, started by Ray Train, which has joined it to the others by torch.distributed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from ray import train
from torch import distributed

from atrous.cli.home import open_ports
from atrous.core.cores import count_cores
from atrous.core.errors import AtrousError, StoppedError
from atrous.ray_engine.cluster import wait_for
from atrous.ray_engine.desk import DeskListener
from atrous.training.listener import SilentListener
from atrous.training.loop import run_training
from atrous.workspace.versions import find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from atrous.cli.engines import TrainSite
    from atrous.datasets.content import Sample
    from atrous.ray_engine.run_folder import SharedRun
    from atrous.training.recipe import TrainingConfig


@dataclass(frozen=True, slots=True)
class RankOrder:
    """What every rank is told.

    Attributes:
        desk: handle of the training's.
    """

    desk: Any
    site: TrainSite
    shared: SharedRun
    config: TrainingConfig


def train_rank(told: dict[str, Any]) -> None:
    """Train until all is done, or Ray ends this process because another one was lost."""
    order: RankOrder = told["order"]
    # Ray starts all again for any reason; for one that stays, that is of no use.
    if wait_for(order.desk.read_end.remote()) is not None:
        return
    try:
        _train(order)
    except StoppedError as error:
        wait_for(order.desk.end.remote(error))
    except AtrousError as error:
        wait_for(order.desk.end.remote(error))
        # Ends the others, which may wait for this one.
        raise


def _train(order: RankOrder) -> None:
    here = train.get_context()
    is_first, is_beside_first = here.get_world_rank() == 0, here.get_node_rank() == 0
    torch.set_num_threads(max(1, count_cores() // here.get_local_world_size()))
    folder = order.shared.choose_folder(beside_first=is_beside_first)
    if here.get_local_rank() == 0:
        order.shared.fetch(folder)
    samples = _find_samples(order)
    distributed.barrier()
    config = replace(order.config, run_folder=folder, samples=samples, resume=True)
    listener = DeskListener(order.desk, lambda: order.shared.keep(folder)) if is_first else SilentListener()
    with _keeping(order.shared, folder, is_first=is_first):
        run_training(config, listener)


@contextmanager
def _keeping(shared: SharedRun, folder: Path, *, is_first: bool) -> Generator[None]:
    """Keep the checkpoint of a training that ends inside an epoch, too."""
    try:
        yield
    except StoppedError:
        if is_first:
            shared.keep(folder)
        raise
    if is_first:
        shared.keep(folder)
    distributed.barrier()
    if train.get_context().get_local_rank() == 0:
        shared.drop(folder)


def _find_samples(order: RankOrder) -> tuple[Sample, ...]:
    """The version's pictures on this machine, fetched by its own home where they are not."""
    samples = order.config.samples
    if all(sample.image_path.is_file() and sample.mask_path.is_file() for sample in samples):
        return samples
    ports, workspace = open_ports(order.site.workspace)
    return list_samples(ports, find_version(ports, workspace, order.site.version))
