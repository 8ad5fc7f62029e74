"""Files of pictures as browsers show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
from PIL import Image

from atrous.bundle.picture import UNREADABLE, decode_picture
from atrous.core.errors import InvalidImageError

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = "application/octet-stream"
THUMBNAIL_SIDE = 320
THUMBNAIL_QUALITY = 80


def find_media_type(path: Path) -> str:
    """Of a picture's file, by its content; never one that a browser would run."""
    try:
        with Image.open(path) as header:
            found = Image.MIME.get(header.format or "", UNKNOWN)
    except UNREADABLE:
        return UNKNOWN
    return found if found.startswith("image/") and "svg" not in found else UNKNOWN


def make_thumbnail(data: bytes) -> bytes:
    """A JPEG of at most 320 pixels a side, turned as EXIF says; smaller pictures keep their size.

    Raises:
        InvalidImageError: if the bytes are no picture.
    """
    image_HWC = decode_picture(data)
    height, width = image_HWC.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small_HWC = cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", small_HWC, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])
    if not done:
        raise InvalidImageError("the picture cannot be made a thumbnail of; open the picture itself")
    return encoded.tobytes()
