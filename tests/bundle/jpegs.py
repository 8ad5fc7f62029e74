"""JPEG files of drawn pictures."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

ORIENTATION_TAG = 0x0112


def draw_clouds(height: int, width: int) -> Image.Image:
    """Soft colours with some noise, as photographs have."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 48 + 2, width // 48 + 2, 3), dtype=np.uint8)
    clouds_HWC = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float64)
    noisy_HWC = np.clip(clouds_HWC + rng.normal(0, 12, clouds_HWC.shape), 0, 255)
    return Image.fromarray(noisy_HWC.astype(np.uint8))


def encode_jpeg(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def make_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return exif
