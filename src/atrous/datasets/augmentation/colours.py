"""Steps that change colours and leave every pixel where it is. Pictures are image_HWC, BGR uint8."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from atrous.datasets.augmentation.steps import (
        Blur,
        Brightness,
        CameraGain,
        Exposure,
        Hue,
        MotionBlur,
        Noise,
        RandomGrayscale,
        Saturation,
    )

LEVELS = np.arange(256, dtype=np.float64)
# OpenCV counts hue in steps of two degrees.
HUES = 180
# Below it, a blur reaches no neighbour.
LEAST_SIGMA_PX = 0.1
DECIBELS_PER_DECADE = 20


def turn_hue(image_HWC: NDArray[np.uint8], step: Hue, rng: Generator) -> NDArray[np.uint8]:
    """Turn all colours by the same angle."""
    shift = round(rng.uniform(-step.degrees, step.degrees) / 2)
    hsv_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_BGR2HSV)
    hsv_HWC[:, :, 0] = (hsv_HWC[:, :, 0].astype(np.int16) + shift) % HUES
    return np.asarray(cv2.cvtColor(hsv_HWC, cv2.COLOR_HSV2BGR), np.uint8)


def change_saturation(image_HWC: NDArray[np.uint8], step: Saturation, rng: Generator) -> NDArray[np.uint8]:
    """Make all colours stronger or paler by the same factor."""
    factor = 1 + rng.uniform(-step.percent, step.percent) / 100
    hsv_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_BGR2HSV)
    hsv_HWC[:, :, 1] = cv2.LUT(np.ascontiguousarray(hsv_HWC[:, :, 1]), _round(LEVELS * factor))
    return np.asarray(cv2.cvtColor(hsv_HWC, cv2.COLOR_HSV2BGR), np.uint8)


def drop_colour(image_HWC: NDArray[np.uint8], step: RandomGrayscale, rng: Generator) -> NDArray[np.uint8]:
    """Take the colour out of some pictures."""
    if rng.random() * 100 >= step.percent:
        return image_HWC
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image_HWC, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def change_brightness(image_HWC: NDArray[np.uint8], step: Brightness, rng: Generator) -> NDArray[np.uint8]:
    """Multiply all levels by the same factor."""
    least, most = -step.percent if step.darken else 0, step.percent if step.brighten else 0
    return _apply_curve(image_HWC, LEVELS * (1 + rng.uniform(least, most) / 100))


def change_exposure(image_HWC: NDArray[np.uint8], step: Exposure, rng: Generator) -> NDArray[np.uint8]:
    """Lift or lower the middle levels; black and white stay."""
    exponent = 1 + rng.uniform(-step.percent, step.percent) / 100
    return _apply_curve(image_HWC, 255 * (LEVELS / 255) ** exponent)


def blur(image_HWC: NDArray[np.uint8], step: Blur, rng: Generator) -> NDArray[np.uint8]:
    """Blur alike in all directions."""
    sigma_px = rng.uniform(0, step.pixels)
    if sigma_px < LEAST_SIGMA_PX:
        return image_HWC
    return np.asarray(cv2.GaussianBlur(image_HWC, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE), np.uint8)


def smear(image_HWC: NDArray[np.uint8], step: MotionBlur, rng: Generator) -> NDArray[np.uint8]:
    """Blur along one line."""
    length_px = rng.uniform(1, step.length)
    drawn = rng.uniform(0, 360)
    angle = math.radians(drawn if step.angle is None else step.angle)
    reach = math.ceil(length_px / 2)
    kernel_KK = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    steps = np.linspace(-(length_px - 1) / 2, (length_px - 1) / 2, 2 * reach + 1)
    rows, columns = (np.rint(reach + steps * part).astype(int) for part in (-math.sin(angle), math.cos(angle)))
    np.add.at(kernel_KK, (rows, columns), 1 / len(steps))
    return np.asarray(cv2.filter2D(image_HWC, -1, kernel_KK, borderType=cv2.BORDER_REPLICATE), np.uint8)


def raise_gain(image_HWC: NDArray[np.uint8], step: CameraGain, rng: Generator) -> NDArray[np.uint8]:
    """Add a sensor's noise, which differs from channel to channel."""
    deviation = 10 ** (rng.uniform(0, step.gain) / DECIBELS_PER_DECADE)
    noise_HWC = rng.standard_normal(image_HWC.shape, np.float32) * np.float32(deviation)
    return _round(image_HWC + noise_HWC)


def add_noise(image_HWC: NDArray[np.uint8], step: Noise, rng: Generator) -> NDArray[np.uint8]:
    """Make some pixels black or white."""
    share = rng.uniform(0, step.percent) / 100
    chance_HW = rng.random(image_HWC.shape[:2], np.float32)
    noisy_HWC = image_HWC.copy()
    noisy_HWC[chance_HW < share] = 255
    noisy_HWC[chance_HW < share / 2] = 0
    return noisy_HWC


def _apply_curve(image_HWC: NDArray[np.uint8], levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(cv2.LUT(image_HWC, _round(levels)), np.uint8)


def _round(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
