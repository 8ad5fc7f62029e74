"""Crops that show a class on purpose, where one taken anywhere would mostly show the common ones.

Axes: C channels, H W pixels, P all of them, K classes, N pixels of a class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torchvision import tv_tensors

    from atrous.core.sizes import Size


class BalancedCrop:
    """Cut a crop out of a picture and its mask, padded where they are smaller.

    Args:
        size: of the crop.
        fill: what padding is made of, as torchvision takes it.
        share: of the crops lie over a pixel of a class drawn from those in the picture, each as likely, at any place
            of the crop; the others lie anywhere. 0 to 1.
    """

    def __init__(self, size: Size, fill: dict[Any, Any], share: float) -> None:
        self._height, self._width = size.height, size.width
        self._fill, self._share = fill, share
        self._anywhere = v2.RandomCrop((size.height, size.width), pad_if_needed=True, fill=fill)

    def __call__(self, image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask) -> tuple[Any, Any]:
        """Give both cut alike."""
        if torch.rand(1).item() >= self._share:
            return self._anywhere(image_CHW, mask_HW)
        place = _draw_place(mask_HW.as_subclass(torch.Tensor).numpy())
        if place is None:
            return self._anywhere(image_CHW, mask_HW)
        image_CHW, mask_HW, missing = self._pad(image_CHW, mask_HW)
        height, width = mask_HW.shape
        top = _draw_start(place[0] + missing[0], self._height, height)
        left = _draw_start(place[1] + missing[1], self._width, width)
        window = (top, left, self._height, self._width)
        return functional.crop(image_CHW, *window), functional.crop(mask_HW, *window)

    def _pad(self, image_CHW: Any, mask_HW: Any) -> tuple[Any, Any, tuple[int, int]]:
        """Pad all around by what is missing, as torchvision does; tell how much above and on the left."""
        height, width = mask_HW.shape
        missing = max(0, self._height - height), max(0, self._width - width)
        if missing == (0, 0):
            return image_CHW, mask_HW, missing
        padding = [missing[1], missing[0], missing[1], missing[0]]
        image_CHW, mask_HW = (functional.pad(one, padding, fill=self._fill[type(one)]) for one in (image_CHW, mask_HW))
        return image_CHW, mask_HW, missing


def _draw_place(mask_HW: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Row and column of a pixel of a class; None where all is void."""
    labels_P = mask_HW.ravel()
    classes_K = np.flatnonzero(np.bincount(labels_P, minlength=VOID_ID)[:VOID_ID])
    if not len(classes_K):
        return None
    places_N = np.flatnonzero(labels_P == classes_K[_draw(len(classes_K))])
    return divmod(int(places_N[_draw(len(places_N))]), mask_HW.shape[1])


def _draw_start(place: int, side: int, whole: int) -> int:
    """Where a crop of this side can begin that has a place in it and stays in the whole."""
    first, last = max(0, place - side + 1), min(place, whole - side)
    return first + _draw(last - first + 1)


def _draw(count: int) -> int:
    return int(torch.randint(count, (1,)).item())
