"""From a decoded picture to the network's input, the same in training, evaluation and serving.

Axes: H W pixels, C channels. `image_HWC` is BGR uint8; `input_CHW` is RGB float32, normalised.
Numerics follow the stock Roboflow runtime, so that a bundle gives the same masks there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


class Fit(StrEnum):
    """How a picture is brought to the network's size."""

    STRETCH = "stretch"
    LETTERBOX_BLACK = "letterbox-black"
    LETTERBOX_GREY = "letterbox-grey"
    LETTERBOX_WHITE = "letterbox-white"


PADDING_GREY_LEVEL = {Fit.LETTERBOX_BLACK: 0, Fit.LETTERBOX_GREY: 127, Fit.LETTERBOX_WHITE: 255}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """All that decides how a picture becomes the network's input.

    Mean and standard deviation are of RGB values in 0..1.
    """

    size: Size
    fit: Fit = Fit.STRETCH
    auto_orient: bool = True
    mean_RGB: tuple[float, float, float] = IMAGENET_MEAN_RGB
    std_RGB: tuple[float, float, float] = IMAGENET_STD_RGB


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture of size `picture` lies inside the network's input of size `canvas`; the rest is padding."""

    picture: Size
    canvas: Size
    top: int
    left: int
    inner: Size


def place_picture(picture: Size, preprocessing: Preprocessing) -> Placement:
    """Find where a picture of this size comes to lie in the network's input."""
    canvas = preprocessing.size
    if preprocessing.fit is Fit.STRETCH:
        return Placement(picture, canvas, top=0, left=0, inner=canvas)
    scale = min(canvas.height / picture.height, canvas.width / picture.width)
    # Truncated, as the stock runtime does: one row more would shift every mask border.
    inner = Size(height=max(1, int(picture.height * scale)), width=max(1, int(picture.width * scale)))
    top = (canvas.height - inner.height) // 2
    left = (canvas.width - inner.width) // 2
    return Placement(picture, canvas, top=top, left=left, inner=inner)


def fit_image(image_HWC: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Bring a picture to the network's size: bilinear on uint8, without antialiasing, padded if the fit says so."""
    placement = place_picture(_size_of(image_HWC), preprocessing)
    inner_HWC = cv2.resize(image_HWC, (placement.inner.width, placement.inner.height), interpolation=cv2.INTER_LINEAR)
    if placement.inner == placement.canvas:
        return np.asarray(inner_HWC, np.uint8)
    canvas_HWC = np.full((*_shape(placement.canvas), 3), PADDING_GREY_LEVEL[preprocessing.fit], np.uint8)
    canvas_HWC[_inner_slices(placement)] = inner_HWC
    return canvas_HWC


def fit_mask(mask_HW: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Bring a label mask to the network's size: nearest pixel, padding is void."""
    placement = place_picture(_size_of(mask_HW), preprocessing)
    inner_HW = cv2.resize(
        mask_HW, (placement.inner.width, placement.inner.height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    canvas_HW = np.full(_shape(placement.canvas), VOID_ID, np.uint8)
    canvas_HW[_inner_slices(placement)] = inner_HW
    return canvas_HW


def normalise(image_HWC: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Turn BGR uint8 at the network's size into the network's input: input_CHW, RGB, float32, contiguous."""
    scale, shift = _affine(preprocessing)
    input_CHW = np.empty((3, *image_HWC.shape[:2]), np.float32)
    for channel in range(3):
        np.multiply(image_HWC[:, :, 2 - channel], scale[channel], out=input_CHW[channel], casting="unsafe")
        input_CHW[channel] += shift[channel]
    return input_CHW


def _affine(preprocessing: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    std = np.asarray(preprocessing.std_RGB, np.float64)
    mean = np.asarray(preprocessing.mean_RGB, np.float64)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def _size_of(pixels: NDArray[np.uint8]) -> Size:
    return Size(height=pixels.shape[0], width=pixels.shape[1])


def _shape(size: Size) -> tuple[int, int]:
    return size.height, size.width


def _inner_slices(placement: Placement) -> tuple[slice, slice]:
    return (
        slice(placement.top, placement.top + placement.inner.height),
        slice(placement.left, placement.left + placement.inner.width),
    )
