"""Pixels of rare classes taken from one train picture and pasted into another.

Axes: C channels, H W pixels, P pictures, K classes.
Source: Ghiasi et al. 2021, arXiv:2012.07177, with classes in place of objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MAX_SEED = 2**63
# Keeps these draws apart from others of the same picture's seed.
STREAM = 1


@dataclass(frozen=True, slots=True)
class Donation:
    """What a picture is to get.

    Attributes:
        index: of the picture that gives.
        class_id: whose pixels it gives.
        seed: of that picture's own augmentation.
    """

    index: int
    class_id: int
    seed: int


class Donors:
    """Chooses what is pasted: a class with fewer pixels than the mean of all, never background, each as likely.

    Args:
        pixels_PK: pixels of each class in each train picture, void left out.
        share: of the pictures get something, 0 to 1.
    """

    def __init__(self, pixels_PK: NDArray[np.int64], share: float) -> None:
        pixels_K = pixels_PK.sum(axis=0)
        is_rare_K = (pixels_K > 0) & (pixels_K < pixels_K.mean())
        is_rare_K[BACKGROUND_ID] = False
        self._givers = {int(one): np.flatnonzero(pixels_PK[:, one]) for one in np.flatnonzero(is_rare_K)}
        self._share = share

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Classes that are pasted."""
        return tuple(self._givers)

    def draw(self, seed: int) -> Donation | None:
        """What the picture of this seed gets, if anything."""
        rng = np.random.default_rng([seed, STREAM])
        if not self._givers or rng.random() >= self._share:
            return None
        class_id = self.class_ids[rng.integers(len(self._givers))]
        index = self._givers[class_id][rng.integers(len(self._givers[class_id]))]
        return Donation(int(index), class_id, int(rng.integers(MAX_SEED)))


def paste_class(
    image_CHW: Tensor, mask_HW: Tensor, giver_CHW: Tensor, giver_HW: Tensor, class_id: int
) -> tuple[Tensor, Tensor]:
    """Copy the pixels of a class from one picture and its mask over those of another of the same size.

    Void of the giver is never copied; void under what is pasted becomes the class, which is what is seen there.
    """
    is_pasted_HW = giver_HW == class_id
    return torch.where(is_pasted_HW, giver_CHW, image_CHW), torch.where(is_pasted_HW, giver_HW, mask_HW)
