"""Picture files of plain squares, and the way back from a reply to its masks."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)


def encode_squares(colours: list[list[tuple[int, int, int]]], *, side_px: int = 8, extension: str = ".png") -> bytes:
    """A picture file of squares in RGB colours."""
    image_RGB = np.array(colours, np.uint8).repeat(side_px, 0).repeat(side_px, 1)
    _, data = cv2.imencode(extension, image_RGB[:, :, ::-1])
    return data.tobytes()


def as_base64(data: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(data).decode()


def read_mask(reply: dict[str, Any], name: str = "segmentation_mask") -> np.ndarray:
    """The pixels of a reply's PNG, exactly as stored."""
    png = base64.b64decode(reply["predictions"][name], validate=True)
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
