"""Batches of an epoch, whose order and content depend on seed, epoch and place alone.

Axes: B batch, C channels, H W pixels.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from atrous.datasets.content import load_fitted
from atrous.training.augmentation import make_augmentation
from atrous.training.copy_paste import paste_class
from atrous.training.sampling import draw_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.datasets.content import Sample
    from atrous.training.copy_paste import Donors
    from atrous.training.decoded import DecodedPictures
    from atrous.training.recipe import Recipe

SEED_STRIDE = 1_000_003
MAX_TORCH_SEED = 2**64


class FittedSamples:
    """Decoded samples at the network's size.

    Args:
        samples: of one split.
        preprocessing: how the network sees them.
        decoded: keeps what was decoded once, if there is such a place.
    """

    def __init__(
        self, samples: Sequence[Sample], preprocessing: Preprocessing, decoded: DecodedPictures | None = None
    ) -> None:
        self._samples = samples
        self._preprocessing = preprocessing
        self._decoded = decoded

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Give image_HWC (BGR) and mask_HW at the network's size, which the caller may change."""
        kept = self._decoded.find(index) if self._decoded else None
        if kept:
            return kept
        fitted = load_fitted(self._samples[index], self._preprocessing)
        if self._decoded:
            self._decoded.keep(index, *fitted)
        return fitted


class AugmentedSamples(Dataset["tuple[Tensor, Tensor]"]):
    """Training pictures, changed at random but the same for the same (epoch, index).

    Args:
        samples: as the network sees them.
        preprocessing: of the version.
        recipe: says how they are changed.
        donors: choose what is pasted into them; None pastes nothing.
    """

    def __init__(
        self, samples: FittedSamples, preprocessing: Preprocessing, recipe: Recipe, donors: Donors | None = None
    ) -> None:
        self._samples = samples
        self._preprocessing = preprocessing
        self._seed = recipe.seed
        self._augment = make_augmentation(recipe, preprocessing.size)
        self._donors = donors

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Give image_CHW (RGB) and mask_HW of (epoch, index), both uint8."""
        epoch, index = place
        seed = sample_seed(self._seed, epoch, index)
        image_CHW, mask_HW = self._change(index, seed)
        donation = self._donors.draw(seed) if self._donors else None
        if donation is None:
            return image_CHW, mask_HW
        giver = self._change(donation.index, donation.seed)
        return paste_class(image_CHW, mask_HW, *giver, donation.class_id)

    def _change(self, index: int, seed: int) -> tuple[Tensor, Tensor]:
        image_HWC, mask_HW = self._samples[index]
        rgb_CHW = torch.from_numpy(np.ascontiguousarray(image_HWC[:, :, ::-1].transpose(2, 0, 1)))
        return self._augment(rgb_CHW, torch.from_numpy(mask_HW), seed)


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """A seed of its own for each picture of each epoch."""
    return ((seed * SEED_STRIDE + epoch) * SEED_STRIDE + index) % MAX_TORCH_SEED


def epoch_order(
    seed: int, epoch: int, count: int, batch_size: int, weights_P: NDArray[np.float64] | None = None
) -> list[list[int]]:
    """Indices of an epoch's batches; the last one is as short as it comes out.

    Each picture comes once, or about as often as it weighs where weights are given.
    """
    rng = np.random.default_rng([seed, epoch])
    order = (rng.permutation(count) if weights_P is None else draw_pictures(weights_P, rng)).tolist()
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


class BatchLoader:
    """Prepares batches in worker processes, which live as long as this object, or in this one if there are none."""

    def __init__(self, samples: Dataset[tuple[Tensor, Tensor]], *, workers: int, pinned: bool = False) -> None:
        self._places: list[list[tuple[int, int]]] = []
        self._loader = DataLoader(
            samples,
            batch_sampler=self._places,
            num_workers=workers,
            pin_memory=pinned,
            worker_init_fn=_ignore_interrupts,
            persistent_workers=workers > 0,
            # Workers that are forked share the file of decoded pictures.
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        )

    def load(self, order: list[list[int]], *, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give image_BCHW and mask_BHW, uint8, of each batch of the order."""
        self._places[:] = [[(epoch, index) for index in batch] for batch in order]
        return iter(self._loader) if self._loader.num_workers else _load_on_one_thread(self._loader)


def _load_on_one_thread(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Prepare batches here as worker processes do; on so little, threads wait for each other longer than they work."""
    batches, threads = iter(loader), torch.get_num_threads()
    while True:
        torch.set_num_threads(1)
        try:
            batch = next(batches, None)
        finally:
            torch.set_num_threads(threads)
        if batch is None:
            return
        yield batch


def _ignore_interrupts(_worker: int) -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def count_workers(recipe: Recipe, device_type: str) -> int:
    """Processes that prepare pictures: none on a CPU, which the network itself keeps busy."""
    if recipe.workers >= 0:
        return recipe.workers
    return 0 if device_type == "cpu" else max(1, (os.cpu_count() or 2) - 1)
