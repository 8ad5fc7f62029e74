"""Batches of an epoch, whose order and content depend on seed, epoch and place alone.

Axes: B batch, C channels, H W pixels.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from atrous.bundle.preprocessing import normalise
from atrous.datasets.content import load_fitted
from atrous.training.augmentation import make_augmentation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.datasets.content import Sample
    from atrous.training.recipe import Recipe

CACHE_BYTES = 2 * 2**30
SEED_STRIDE = 1_000_003
MAX_TORCH_SEED = 2**64


class FittedSamples:
    """Decoded samples at the network's size, kept in memory while they fit there."""

    def __init__(self, samples: Sequence[Sample], preprocessing: Preprocessing, *, cached: bool) -> None:
        self._samples = samples
        self._preprocessing = preprocessing
        fits = len(samples) * preprocessing.size.pixels * 4 <= CACHE_BYTES
        self._cache: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] | None = {} if cached and fits else None

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Give image_HWC (BGR) and mask_HW at the network's size."""
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        fitted = load_fitted(self._samples[index], self._preprocessing)
        if self._cache is not None:
            self._cache[index] = fitted
        return fitted


class AugmentedSamples(Dataset["tuple[Tensor, Tensor]"]):
    """Training pictures, changed at random but the same for the same (epoch, index)."""

    def __init__(self, samples: FittedSamples, preprocessing: Preprocessing, recipe: Recipe) -> None:
        self._samples = samples
        self._preprocessing = preprocessing
        self._seed = recipe.seed
        self._augment = make_augmentation(recipe, preprocessing.size)

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Give input_CHW float32 and mask_HW int64 of (epoch, index)."""
        epoch, index = place
        image_HWC, mask_HW = self._samples[index]
        rgb_CHW = torch.from_numpy(np.ascontiguousarray(image_HWC[:, :, ::-1].transpose(2, 0, 1)))
        image_CHW, mask = self._augment(rgb_CHW, torch.from_numpy(mask_HW), sample_seed(self._seed, epoch, index))
        bgr_HWC = np.ascontiguousarray(image_CHW.numpy()[::-1].transpose(1, 2, 0))
        return torch.from_numpy(normalise(bgr_HWC, self._preprocessing)), mask.long()


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """A seed of its own for each picture of each epoch."""
    return ((seed * SEED_STRIDE + epoch) * SEED_STRIDE + index) % MAX_TORCH_SEED


def epoch_order(seed: int, epoch: int, count: int, batch_size: int) -> list[list[int]]:
    """Indices of an epoch's batches; the last one is as short as it comes out."""
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def load_batches(
    samples: AugmentedSamples, order: list[list[int]], *, epoch: int, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give input_BCHW and mask_BHW of each batch of the order."""
    places = [[(epoch, index) for index in batch] for batch in order]
    loader = DataLoader(
        samples,
        batch_sampler=places,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_ignore_interrupts,
    )
    return iter(loader)


def _ignore_interrupts(_worker: int) -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def count_workers(recipe: Recipe, device_type: str) -> int:
    """Processes that prepare pictures: none on a CPU, which the network itself keeps busy."""
    if recipe.workers >= 0:
        return recipe.workers
    return 0 if device_type == "cpu" else max(1, (os.cpu_count() or 2) - 1)
