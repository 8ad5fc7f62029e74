"""What is easily seen of the pictures of a split: enough to tell whether two splits are alike, or too much so.

Axes: K classes, H W picture, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.datasets.looks import compute_look, find_twins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Trait:
    """What is kept of one picture.

    Attributes:
        look: see `datasets/looks.py`.
        side_px: the root of its area.
        brightness: mean grey level, 0 to 255.
        pixels_K: labelled pixels by class, void left out.
    """

    name: str
    look: bytes
    side_px: float
    brightness: float
    pixels_K: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What is kept of the pictures of one split, in one order.

    Attributes:
        pixels_K: labelled pixels of all pictures by class, void left out.
    """

    names: tuple[str, ...]
    looks: tuple[bytes, ...]
    sides_px: tuple[float, ...]
    brightness: tuple[float, ...]
    pixels_K: NDArray[np.int64]

    @property
    def middle_side_px(self) -> float:
        """The median of the roots of their areas."""
        return median(self.sides_px)

    @property
    def middle_brightness(self) -> float:
        """The median of their mean grey levels."""
        return median(self.brightness)

    def find_twins(self, others: Traits) -> dict[str, str]:
        """Names of the pictures that look like one of the others, and of that one."""
        twins = find_twins(self.looks, others.looks)
        return {self.names[place]: others.names[other] for place, other in sorted(twins.items())}


def describe_picture(
    name: str, image_HWC: NDArray[np.uint8], label_HW: NDArray[np.uint8], *, class_count: int
) -> Trait:
    """What is to be kept of a picture, BGR, and its label."""
    grey_HW = np.asarray(cv2.cvtColor(image_HWC, cv2.COLOR_BGR2GRAY), np.uint8)
    return Trait(
        name=name,
        look=compute_look(grey_HW),
        side_px=math.sqrt(label_HW.size),
        brightness=float(grey_HW.mean()),
        pixels_K=np.bincount(label_HW.ravel(), minlength=VOID_ID + 1)[:class_count],
    )


def join_traits(traits: Sequence[Trait], class_count: int) -> Traits:
    """The traits of a split."""
    return Traits(
        names=tuple(one.name for one in traits),
        looks=tuple(one.look for one in traits),
        sides_px=tuple(one.side_px for one in traits),
        brightness=tuple(one.brightness for one in traits),
        pixels_K=sum((one.pixels_K for one in traits), np.zeros(class_count, np.int64)),
    )
