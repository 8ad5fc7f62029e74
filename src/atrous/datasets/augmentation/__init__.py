"""Training pictures varied by chance, once and for all: the same seed gives the same pixels on every machine.

Axes: H W pixels, C channels. Pictures are BGR uint8 at the network's size, masks uint8 ids.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from atrous.datasets.augmentation import colours, geometry
from atrous.datasets.augmentation.steps import (
    Augmentation,
    Blur,
    Brightness,
    CameraGain,
    Crop,
    Cutout,
    Exposure,
    Flip,
    Hue,
    Mosaic,
    MotionBlur,
    Ninety,
    Noise,
    RandomGrayscale,
    Rotate,
    Saturation,
    Shear,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from atrous.datasets.augmentation.geometry import Pair

MOSAIC_OTHERS = 3


def make_generator(image_sha256: str, output: str, settings: str) -> Generator:
    """Chance for one output of a picture.

    Args:
        image_sha256: of the picture's file.
        output: which of its outputs.
        settings: all that decides what is done, as text.
    """
    digest = hashlib.sha256("\n".join((image_sha256, output, settings)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def augment(pair: Pair, steps: Sequence[Augmentation], rng: Generator, load_other: Callable[[Generator], Pair]) -> Pair:
    """Vary a picture and its mask.

    Args:
        pair: image_HWC and mask_HW; neither is changed.
        steps: what is done, in the order of AUGMENTATIONS.
        rng: chance.
        load_other: gives another training picture of the same size, for mosaics.

    Returns:
        Both at the same size, contiguous.
    """
    warps = [step for step in steps if isinstance(step, Rotate | Shear | Crop)]
    for step in steps:
        if isinstance(step, Rotate | Shear | Crop):
            pair = geometry.warp(pair, warps, rng) if step is warps[0] else pair
        elif isinstance(step, Mosaic | Flip | Ninety | Cutout):
            pair = _move(pair, step, rng, load_other)
        else:
            pair = _recolour(pair[0], step, rng), pair[1]
    return np.ascontiguousarray(pair[0]), np.ascontiguousarray(pair[1])


def _move(
    pair: Pair, step: Mosaic | Flip | Ninety | Cutout, rng: Generator, load_other: Callable[[Generator], Pair]
) -> Pair:
    match step:
        case Mosaic():
            return geometry.lay_mosaic([pair, *(load_other(rng) for _ in range(MOSAIC_OTHERS))], rng)
        case Flip():
            return geometry.flip(pair, step, rng)
        case Ninety():
            return geometry.turn_ninety(pair, step, rng)
        case Cutout():
            return geometry.cut_out(pair, step, rng)


def _recolour(image_HWC: NDArray[np.uint8], step: Augmentation, rng: Generator) -> NDArray[np.uint8]:  # noqa: PLR0911 - one line a step
    image_HWC = np.ascontiguousarray(image_HWC)
    match step:
        case Hue():
            return colours.turn_hue(image_HWC, step, rng)
        case Saturation():
            return colours.change_saturation(image_HWC, step, rng)
        case RandomGrayscale():
            return colours.drop_colour(image_HWC, step, rng)
        case Brightness():
            return colours.change_brightness(image_HWC, step, rng)
        case Exposure():
            return colours.change_exposure(image_HWC, step, rng)
        case Blur():
            return colours.blur(image_HWC, step, rng)
        case MotionBlur():
            return colours.smear(image_HWC, step, rng)
        case CameraGain():
            return colours.raise_gain(image_HWC, step, rng)
        case Noise():
            return colours.add_noise(image_HWC, step, rng)
        case _:
            raise AssertionError(step)
