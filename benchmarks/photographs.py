"""The pictures that are sent: files of a person's own, or drawn ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SIZES = (Size(height=720, width=960), Size(height=1080, width=1920), Size(height=3000, width=4000))


@dataclass(frozen=True, slots=True)
class Photograph:
    """The bytes of a file, its size, and what it is called in tables."""

    name: str
    data: bytes
    size: Size


def read_photographs(paths: Sequence[Path], sizes: Sequence[Size] = SIZES) -> list[Photograph]:
    """The files given, or a drawn JPEG of each size.

    Raises:
        InvalidInputError: if a file is no picture.
    """
    if paths:
        return [_read_photograph(path) for path in paths]
    return [Photograph(f"{size} drawn", encode_jpeg(draw_picture(size)), size) for size in sizes]


def draw_picture(size: Size) -> NDArray[np.uint8]:
    """Soft colours with a little grain, image_HWC: neither empty nor noise, so that a JPEG of it is of usual length."""
    random = np.random.default_rng(0)
    coarse_HWC = random.integers(0, 256, (12, 16, 3), np.uint8)
    smooth_HWC = cv2.resize(coarse_HWC, (size.width, size.height), interpolation=cv2.INTER_CUBIC)
    grain_HWC = random.normal(0, 4, smooth_HWC.shape).astype(np.float32)
    return np.clip(smooth_HWC + grain_HWC, 0, 255).astype(np.uint8)


def encode_jpeg(image_HWC: NDArray[np.uint8]) -> bytes:
    """A JPEG as cameras write it."""
    _, data = cv2.imencode(".jpg", image_HWC, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return data.tobytes()


def _read_photograph(path: Path) -> Photograph:
    data = path.read_bytes()
    image_HWC = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image_HWC is None:
        raise InvalidInputError(f"{path}: is no picture that can be read; name a JPEG or PNG")
    size = Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
    return Photograph(path.stem if str(size) in path.stem else f"{size} {path.stem}", data, size)
