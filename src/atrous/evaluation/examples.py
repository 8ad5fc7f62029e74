"""The worst, the best and some typical pictures of an evaluation, kept small while the others stream by."""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXAMPLE_SIDE_PX = 480
# Of up to so many pictures the typical ones are exact; of more they are the most typical of a fair sample of as many.
SAMPLED_PICTURES = 40
SAMPLE_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A scored picture, its longer side at most 480 px.

    Attributes:
        number: place of the picture in the evaluation, from 0.
        mean_iou: of this picture alone, as the server would answer, measured before it was made small.
        label_HW: class ids, 255 where void.
        predicted_HW: class ids as the server would answer.
    """

    number: int
    name: str
    mean_iou: float
    image_HWC: NDArray[np.uint8]
    label_HW: NDArray[np.uint8]
    predicted_HW: NDArray[np.uint8]


class Shortlist:
    """Keeps the `count` worst, best and most typical of all pictures offered; equal ones in the order they came."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._worst: list[Example] = []
        self._best: list[Example] = []
        self._sampled: list[Example] = []
        self._scores: list[float] = []
        self._random = random.Random(SAMPLE_SEED)  # noqa: S311  (a fair choice, not a secret)

    def offer(self, example: Example) -> None:
        """Keep a small copy of the example if it is among the worst or the best so far, or is sampled."""
        self._scores.append(example.mean_iou)
        is_extreme = self._is_among(self._worst, example, sign=1) or self._is_among(self._best, example, sign=-1)
        place = self._draw_place()
        if not is_extreme and place is None:
            return
        small = shrink_example(example)
        if is_extreme:
            self._worst = sorted([*self._worst, small], key=lambda kept: kept.mean_iou)[: self._count]
            self._best = sorted([*self._best, small], key=lambda kept: -kept.mean_iou)[: self._count]
        if place is not None:
            self._sampled[place : place + 1] = [small]

    def _draw_place(self) -> int | None:
        """Where the latest picture goes in a sample in which each one so far is equally likely to be."""
        seen = len(self._scores)
        place = seen - 1 if seen <= SAMPLED_PICTURES else self._random.randrange(seen)
        return place if self._count and place < SAMPLED_PICTURES else None

    def _is_among(self, kept: list[Example], example: Example, *, sign: int) -> bool:
        if len(kept) < self._count:
            return True
        return bool(kept) and sign * example.mean_iou < sign * kept[-1].mean_iou

    def worst(self) -> tuple[Example, ...]:
        """Worst first."""
        return tuple(self._worst)

    def best(self) -> tuple[Example, ...]:
        """Best first, without those that are among the worst of a short list."""
        taken = {example.number for example in self._worst}
        return tuple(example for example in self._best if example.number not in taken)

    def typical(self) -> tuple[Example, ...]:
        """Nearest to the median score first, without those that are among the worst or the best."""
        if not self._sampled:
            return ()
        middle = median(self._scores)
        taken = {example.number for example in (*self._worst, *self._best)}
        free = [example for example in self._sampled if example.number not in taken]
        return tuple(sorted(free, key=lambda kept: (abs(kept.mean_iou - middle), kept.number))[: self._count])


def shrink_example(example: Example) -> Example:
    """A copy of the example whose longer side is at most 480 px."""
    height, width = example.label_HW.shape
    scale = min(1.0, EXAMPLE_SIDE_PX / max(height, width))
    size_xy_px = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Example(
        number=example.number,
        name=example.name,
        mean_iou=example.mean_iou,
        image_HWC=_resize(example.image_HWC, size_xy_px, cv2.INTER_AREA),
        label_HW=_resize(example.label_HW, size_xy_px, cv2.INTER_NEAREST),
        predicted_HW=_resize(example.predicted_HW, size_xy_px, cv2.INTER_NEAREST),
    )


def _resize(pixels: NDArray[np.uint8], size_xy_px: tuple[int, int], interpolation: int) -> NDArray[np.uint8]:
    """A copy, so that the caller may use its arrays again for the next picture."""
    resized = cv2.resize(pixels, size_xy_px, interpolation=interpolation)
    return np.array(resized, np.uint8)
