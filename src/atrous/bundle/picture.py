"""Encoded picture bytes -> BGR pixels. The one decoder of training, evaluation and serving."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from atrous.core.errors import InvalidImageError, TooLargeError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Headers are measured here and judged by limits of our own; Pillow's would warn, then refuse, at sizes of its choice.
Image.MAX_IMAGE_PIXELS = None

DEFAULT_MAX_PIXELS = 100_000_000
# What Pillow's readers raise on damaged files: of OSError its own UnidentifiedImageError, of AVIF's a RuntimeError, of
# those of rarer formats whatever their arithmetic and attributes lead to.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)


def decode_picture(data: bytes, *, auto_orient: bool = True, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode JPEG, PNG, WebP, TIFF, BMP, GIF (first frame) or AVIF.

    Args:
        data: the file's bytes.
        auto_orient: turn the picture as its EXIF orientation says.
        max_pixels: refuse larger pictures by their header, before any pixel is decoded.

    Returns:
        image_HWC, BGR, uint8. Grey becomes three equal channels, alpha is dropped, 16-bit is cut to 8.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
        TooLargeError: if the picture has more than `max_pixels`.
    """
    size = read_picture_size(data)
    if size.pixels > max_pixels:
        raise TooLargeError(f"the picture has {size.pixels} pixels ({size}); the limit is {max_pixels}")
    flags = cv2.IMREAD_COLOR if auto_orient else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return as_uint8(_decode(data, flags))


def decode_grey_levels(data: bytes) -> NDArray[Any]:
    """Decode a picture exactly as stored: HxW or HxWxC, uint8 or uint16, never turned or converted.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
    """
    return _decode(data, cv2.IMREAD_UNCHANGED)


def read_picture_size(data: bytes) -> Size:
    """The stored size (before any EXIF rotation), from the header alone.

    Raises:
        InvalidImageError: if the bytes are no picture.
    """
    if not data:
        raise InvalidImageError("the picture is empty; send the bytes of a JPEG, PNG, WebP or TIFF")
    try:
        with Image.open(io.BytesIO(data)) as header:
            width, height = header.size
    except UNREADABLE as error:
        raise InvalidImageError("the data is not a picture; send a JPEG, PNG, WebP or TIFF") from error
    return Size(height=height, width=width)


def as_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Give 8-bit pixels; 16-bit ones lose their low byte."""
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _decode(data: bytes, flags: int) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InvalidImageError("the data is not a picture that can be decoded") from error
    if pixels is None:
        raise InvalidImageError("the data is not a picture, or it is damaged")
    return pixels
