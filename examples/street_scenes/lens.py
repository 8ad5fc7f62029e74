"""What a camera does to a picture: white balance, exposure, vignette, blur and noise."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def expose(image_HWC: NDArray[np.float32], rng: Generator) -> NDArray[np.uint8]:
    """The photo of a picture given in floats 0 to 255."""
    height, width = image_HWC.shape[:2]
    balance = 1 + rng.normal(0, (0.03, 0.01, 0.03))
    gamma, gain = rng.uniform(0.85, 1.15), rng.uniform(0.9, 1.12)
    # Squared distance from the middle, 2 in the corners.
    across_HW = np.linspace(-1, 1, width)[None, :] ** 2 + np.linspace(-1, 1, height)[:, None] ** 2
    shade_HW1 = (1 - rng.uniform(0, 0.18) * across_HW).astype(np.float32)[..., None]
    bright_HWC = image_HWC * shade_HW1 * (balance * gain / 255).astype(np.float32)
    soft_HWC = cv2.GaussianBlur(255 * np.clip(bright_HWC, 0, 1) ** np.float32(gamma), (0, 0), rng.uniform(0.3, 0.9))
    noise_HWC = rng.standard_normal(image_HWC.shape, dtype=np.float32) * np.float32(rng.uniform(1, 5))
    return np.clip(soft_HWC + noise_HWC, 0, 255).astype(np.uint8)
