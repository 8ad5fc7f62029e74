"""From a decoded picture to the network's input, the same in training, evaluation and serving.

Axes: H W pixels, C channels. `image_HWC` is BGR uint8; `input_CHW` is RGB float32, normalised.
Numerics follow the stock Roboflow runtime, so that a bundle gives the same masks there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.contrast import Contrast, make_grey, raise_contrast
from atrous.bundle.regions import Region, StaticCrop, Tiles
from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


class Fit(StrEnum):
    """How a picture is brought to the network's size.

    `fit-within` is a black letterbox, as the network's size is fixed; it has a name of its own because stock packages
    tell the two apart. `center-crop` changes no scale: it cuts what is larger and pads with black what is smaller.
    """

    STRETCH = "stretch"
    LETTERBOX_BLACK = "letterbox-black"
    LETTERBOX_GREY = "letterbox-grey"
    LETTERBOX_WHITE = "letterbox-white"
    LETTERBOX_REFLECT = "letterbox-reflect"
    FIT_WITHIN = "fit-within"
    CENTER_CROP = "center-crop"


class Step(StrEnum):
    """A step that a request can have left out."""

    AUTO_ORIENT = "auto_orient"
    STATIC_CROP = "static_crop"
    TILE = "tile"
    GRAYSCALE = "grayscale"
    CONTRAST = "contrast"


# What a tile has behind it.
TILE_STEPS = frozenset({Step.AUTO_ORIENT, Step.STATIC_CROP, Step.TILE})
PADDING_GREY_LEVEL = {Fit.LETTERBOX_BLACK: 0, Fit.LETTERBOX_GREY: 127, Fit.LETTERBOX_WHITE: 255}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """All that decides how a picture becomes the network's input.

    Steps come in this order: orientation, crop, tiles, grayscale, contrast, fit, normalisation. Mean and standard
    deviation are of RGB values in 0..1. All functions here but `locate_tiles` take a picture as one tile.
    """

    size: Size
    fit: Fit = Fit.STRETCH
    auto_orient: bool = True
    mean_RGB: tuple[float, float, float] = IMAGENET_MEAN_RGB
    std_RGB: tuple[float, float, float] = IMAGENET_STD_RGB
    crop: StaticCrop | None = None
    grayscale: bool = False
    contrast: Contrast | None = None
    tiles: Tiles | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Which window of a picture of size `picture` the network sees, and where in its input of size `canvas`.

    The window fills `inner`; the rest of the canvas is padding. What is outside the window, no network sees.
    """

    picture: Size
    window: Region
    canvas: Size
    inner: Region


def skip_steps(preprocessing: Preprocessing, skipped: Collection[Step]) -> Preprocessing:
    """The same preprocessing without some of its steps."""
    if not skipped:
        return preprocessing
    return replace(
        preprocessing,
        auto_orient=preprocessing.auto_orient and Step.AUTO_ORIENT not in skipped,
        crop=None if Step.STATIC_CROP in skipped else preprocessing.crop,
        grayscale=preprocessing.grayscale and Step.GRAYSCALE not in skipped,
        contrast=None if Step.CONTRAST in skipped else preprocessing.contrast,
        tiles=None if Step.TILE in skipped else preprocessing.tiles,
    )


def locate_tiles(picture: Size, preprocessing: Preprocessing) -> tuple[Region, ...]:
    """Find the tiles that a picture is cut into, after the crop; without tiles, what the crop leaves is the only one.

    A tile is prepared by `skip_steps(preprocessing, TILE_STEPS)`.
    """
    cropped = locate_crop(picture, preprocessing)
    return preprocessing.tiles.locate(cropped) if preprocessing.tiles else (cropped,)


def place_picture(picture: Size, preprocessing: Preprocessing) -> Placement:
    """Find where a picture of this size comes to lie in the network's input."""
    canvas, cropped = preprocessing.size, locate_crop(picture, preprocessing)
    match preprocessing.fit:
        case Fit.STRETCH:
            return Placement(picture, cropped, canvas, Region(0, 0, canvas))
        case Fit.CENTER_CROP:
            shared = Size(height=min(canvas.height, cropped.size.height), width=min(canvas.width, cropped.size.width))
            middle = _center(shared, cropped.size)
            window = Region(cropped.top + middle.top, cropped.left + middle.left, shared)
            return Placement(picture, window, canvas, _center(shared, canvas))
        case _:
            return Placement(picture, cropped, canvas, _center(_shrink(cropped.size, canvas), canvas))


def fit_image(
    image_HWC: NDArray[np.uint8], preprocessing: Preprocessing, picture: Size | None = None
) -> NDArray[np.uint8]:
    """Crop a picture, change its colours and bring it to the network's size.

    These are all steps between decoding and normalising. Resizing is bilinear on uint8, without antialiasing.

    Args:
        image_HWC: BGR, decoded whole, or at a fraction that `find_divisor` of `atrous.bundle.reduction` allows.
        preprocessing: its steps are taken.
        picture: the picture's own size, where `image_HWC` is a fraction of it.
    """
    stored = place_picture(_size_of(image_HWC), preprocessing)
    seen_HWC = _change_colours(image_HWC, stored, preprocessing)
    placement = place_picture(picture, preprocessing) if picture else stored
    inner = placement.inner.size
    inner_HWC = cv2.resize(seen_HWC, (inner.width, inner.height), interpolation=cv2.INTER_LINEAR)
    if inner == placement.canvas:
        return np.asarray(inner_HWC, np.uint8)
    return _pad(np.asarray(inner_HWC, np.uint8), placement, preprocessing.fit)


def fit_mask(mask_HW: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Bring a label mask to the network's size: nearest pixel of what the network sees; padding is void."""
    placement = place_picture(_size_of(mask_HW), preprocessing)
    inner = placement.inner.size
    inner_HW = cv2.resize(
        mask_HW[placement.window.slices], (inner.width, inner.height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    canvas_HW = np.full(_shape(placement.canvas), VOID_ID, np.uint8)
    canvas_HW[placement.inner.slices] = inner_HW
    return canvas_HW


def normalise(image_HWC: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Turn BGR uint8 at the network's size into the network's input: input_CHW, RGB, float32, contiguous."""
    scale, shift = _affine(preprocessing)
    input_CHW = np.empty((3, *image_HWC.shape[:2]), np.float32)
    # Planes first: numpy walks every third byte more slowly than OpenCV splits them.
    for channel, plane_HW in enumerate(reversed(cv2.split(image_HWC))):
        np.copyto(input_CHW[channel], plane_HW)
        input_CHW[channel] *= scale[channel]
        input_CHW[channel] += shift[channel]
    return input_CHW


def _affine(preprocessing: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    std = np.asarray(preprocessing.std_RGB, np.float64)
    mean = np.asarray(preprocessing.mean_RGB, np.float64)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def locate_crop(picture: Size, preprocessing: Preprocessing) -> Region:
    """Find what the static crop leaves of a picture of this size."""
    return preprocessing.crop.locate(picture) if preprocessing.crop else Region(0, 0, picture)


def _shrink(picture: Size, canvas: Size) -> Size:
    """The largest size of the picture's shape that the canvas holds."""
    scale = min(canvas.height / picture.height, canvas.width / picture.width)
    # Truncated, as the stock runtime does: one row more would shift every mask border.
    return Size(height=max(1, int(picture.height * scale)), width=max(1, int(picture.width * scale)))


def _center(inner: Size, outer: Size) -> Region:
    """Where the inner one begins; an odd pixel is left over below and on the right."""
    return Region((outer.height - inner.height) // 2, (outer.width - inner.width) // 2, inner)


def _change_colours(
    image_HWC: NDArray[np.uint8], placement: Placement, preprocessing: Preprocessing
) -> NDArray[np.uint8]:
    """The window that the network sees, its contrast judged by all that the static crop left."""
    if not (preprocessing.grayscale or preprocessing.contrast):
        return image_HWC[placement.window.slices]
    cropped = locate_crop(placement.picture, preprocessing)
    pixels_HWC = image_HWC[cropped.slices]
    if preprocessing.grayscale:
        pixels_HWC = make_grey(pixels_HWC)
    if preprocessing.contrast:
        pixels_HWC = raise_contrast(np.asarray(pixels_HWC, np.uint8), preprocessing.contrast)
    window = placement.window
    inside = Region(window.top - cropped.top, window.left - cropped.left, window.size)
    return np.asarray(pixels_HWC, np.uint8)[inside.slices]


def _pad(inner_HWC: NDArray[np.uint8], placement: Placement, fit: Fit) -> NDArray[np.uint8]:
    if fit is not Fit.LETTERBOX_REFLECT:
        canvas_HWC = np.full((*_shape(placement.canvas), 3), PADDING_GREY_LEVEL.get(fit, 0), np.uint8)
        canvas_HWC[placement.inner.slices] = inner_HWC
        return canvas_HWC
    inner, canvas = placement.inner, placement.canvas
    below, right = canvas.height - inner.top - inner.size.height, canvas.width - inner.left - inner.size.width
    padded_HWC = cv2.copyMakeBorder(inner_HWC, inner.top, below, inner.left, right, cv2.BORDER_REFLECT)
    return np.asarray(padded_HWC, np.uint8)


def _size_of(pixels: NDArray[np.uint8]) -> Size:
    return Size(height=pixels.shape[0], width=pixels.shape[1])


def _shape(size: Size) -> tuple[int, int]:
    return size.height, size.width
