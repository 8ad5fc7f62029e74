"""Picture files of plain squares, and the way back from a reply to its masks."""

from __future__ import annotations

import base64
import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)
# Height and width as shown.
STRIPES_SHAPE = 512, 768


def encode_squares(colours: list[list[tuple[int, int, int]]], *, side_px: int = 8, extension: str = ".png") -> bytes:
    """A picture file of squares in RGB colours."""
    image_RGB = np.array(colours, np.uint8).repeat(side_px, 0).repeat(side_px, 1)
    _, data = cv2.imencode(extension, image_RGB[:, :, ::-1])
    return data.tobytes()


def encode_stripes(kind: str = "JPEG") -> bytes:
    """Two red columns of every eight, stored 512x768, to be shown turned as 768x512.

    They are the two between which a 64-pixel network samples the whole picture; of a picture at an eighth of its size,
    it sees the mean, a quarter of red, which is background.
    """
    height, width = STRIPES_SHAPE
    stored_RGB = np.zeros((width, height, 3), np.uint8)
    stored_RGB[:, 3::8, 0] = stored_RGB[:, 4::8, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(stored_RGB).save(file, kind, exif=exif, **options)
    return file.getvalue()


def as_base64(data: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(data).decode()


def read_mask(reply: dict[str, Any], name: str = "segmentation_mask") -> np.ndarray:
    """The pixels of a reply's PNG, exactly as stored."""
    png = base64.b64decode(reply["predictions"][name], validate=True)
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
