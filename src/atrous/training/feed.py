"""Batches on their way to the device.

Axes: B batch, C channels, H W pixels.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from atrous.bundle.preprocessing import Preprocessing


class Batch(NamedTuple):
    """What a step trains on, on the device.

    Attributes:
        input_BCHW: normalised RGB, float32, channels last.
        mask_BHW: ids, int64.
    """

    input_BCHW: Tensor
    mask_BHW: Tensor


class Feed:
    """Gives one batch after the other and counts how long that took.

    Args:
        batches: image_BCHW, RGB, and mask_BHW, both uint8.
        preprocessing: how pictures are normalised.
        device: where batches are wanted.
    """

    def __init__(
        self, batches: Iterator[tuple[Tensor, Tensor]], preprocessing: Preprocessing, device: torch.device
    ) -> None:
        self._batches, self._device = batches, device
        scale, shift = _find_affine(preprocessing)
        self._scale_C11, self._shift_C11 = scale.to(device), shift.to(device)
        self._ready: Batch | None = None
        self.waited_s = 0.0

    def take(self) -> Batch:
        """Give the next batch.

        Raises:
            StopIteration: if there is none.
        """
        batch = self._ready or self._fetch()
        self._ready = None
        return batch

    def prepare(self) -> None:
        """Bring the next batch to a device that is still at work; a CPU has no such time."""
        if self._device.type != "cpu":
            try:
                self._ready = self._fetch()
            except StopIteration:
                self._ready = None

    def _fetch(self) -> Batch:
        started = time.perf_counter()
        try:
            image_BCHW, mask_BHW = next(self._batches)
            pixels_BCHW = image_BCHW.to(self._device, memory_format=torch.channels_last, non_blocking=True)
            input_BCHW = pixels_BCHW.float().mul_(self._scale_C11).add_(self._shift_C11)
            return Batch(input_BCHW, mask_BHW.to(self._device, non_blocking=True).long())
        finally:
            self.waited_s += time.perf_counter() - started


def _find_affine(preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """Scale and shift [C, 1, 1] of pixels, as `normalise` has them."""
    std, mean = np.asarray(preprocessing.std_RGB, np.float64), np.asarray(preprocessing.mean_RGB, np.float64)
    scale, shift = (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
    return torch.from_numpy(scale)[:, None, None], torch.from_numpy(shift)[:, None, None]
