"""Encoded picture bytes -> BGR pixels. The one decoder of training, evaluation and serving."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from atrous.bundle.exif import (
    INVERSE,
    ORIENTATION_TAG,
    UPRIGHT,
    read_orientation_tag,
    tame_orientation,
    turn_picture,
    turn_size,
)
from atrous.bundle.jpeg import decode_jpeg, is_jpeg
from atrous.core.errors import InvalidImageError, TooLargeError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable

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


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        image_HWC: BGR, uint8; perhaps fewer pixels than the picture has.
        size: the picture's own, turned as its pixels are.
    """

    image_HWC: NDArray[np.uint8]
    size: Size


@dataclass(frozen=True, slots=True)
class _Header:
    """What a file tells before its pixels: the size is the stored one."""

    kind: str
    size: Size
    orientation: int


def decode_picture(data: bytes, *, auto_orient: bool = True, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode JPEG, PNG, WebP, TIFF, BMP, GIF (first frame) or AVIF.

    Args:
        data: the file's bytes.
        auto_orient: turn the picture as its EXIF orientation says.
        max_pixels: refuse larger pictures by their header, before any pixel is decoded.

    Returns:
        image_HWC, BGR, uint8. Grey becomes three equal channels, alpha is dropped; 16 bits lose their low byte, so that
        12 bits stored in 16 stay nearly black.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
        TooLargeError: if the picture has more than `max_pixels`.
    """
    return decode_reduced(data, _keep_whole, auto_orient=auto_orient, max_pixels=max_pixels).image_HWC


def decode_reduced(
    data: bytes,
    find_divisor: Callable[[Size], int],
    *,
    auto_orient: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Picture:
    """Decode as `decode_picture` does, but a JPEG at a fraction of its size.

    Args:
        data: the file's bytes.
        find_divisor: from the picture's size, turned, to what both sides are divided by: 1, 2, 4 or 8.
        auto_orient: turn the picture as its EXIF orientation says.
        max_pixels: refuse larger pictures by their header, before any pixel is decoded.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
        TooLargeError: if the picture has more than `max_pixels`.
    """
    header = _read_header(data)
    if header.size.pixels > max_pixels:
        raise TooLargeError(f"the picture has {header.size.pixels} pixels ({header.size}); the limit is {max_pixels}")
    orientation = header.orientation if auto_orient else UPRIGHT
    size = turn_size(header.size, orientation)
    image_HWC = decode_jpeg(data, header.size, find_divisor(size)) if is_jpeg(data) else None
    if image_HWC is not None:
        return Picture(turn_picture(image_HWC, orientation), size)
    # What is odd about a JPEG is judged by OpenCV too, as on the stock server.
    image_HWC = as_uint8(_decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, header.kind))
    return _as_picture(turn_picture(image_HWC, _left_to_turn(header, orientation)))


def decode_grey_levels(data: bytes) -> NDArray[Any]:
    """Decode a picture exactly as stored: HxW or HxWxC, uint8 or uint16, never converted, nor turned unless a TIFF.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
    """
    return _decode(data, cv2.IMREAD_UNCHANGED, "picture")


def read_picture_size(data: bytes) -> Size:
    """The stored size (before any EXIF rotation), from the header alone.

    Raises:
        InvalidImageError: if the bytes are no picture.
    """
    return _read_header(data).size


def read_picture_orientation(data: bytes) -> int:
    """The EXIF orientation by which `decode_picture` turns a picture, 1 to 8.

    Raises:
        InvalidImageError: if the bytes are no picture.
    """
    return _read_header(data).orientation


def as_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Give 8-bit pixels; 16-bit ones lose their low byte."""
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _keep_whole(size: Size) -> int:
    del size
    return 1


def _as_picture(image_HWC: NDArray[np.uint8]) -> Picture:
    return Picture(image_HWC, Size(height=image_HWC.shape[0], width=image_HWC.shape[1]))


def _read_header(data: bytes) -> _Header:
    if not data:
        raise InvalidImageError("the picture is empty; send the bytes of a JPEG, PNG, WebP or TIFF")
    try:
        with Image.open(io.BytesIO(data)) as header:
            width, height = header.size
            kind, orientation = header.format or "picture", _orientation_of(header)
    except UNREADABLE as error:
        raise InvalidImageError("the data is not a picture; send a JPEG, PNG, WebP or TIFF") from error
    return _Header(kind, Size(height=height, width=width), orientation)


def _orientation_of(header: Image.Image) -> int:
    """By EXIF alone, as OpenCV: Pillow's `getexif` would take it from XMP too."""
    if isinstance(header, TiffImagePlugin.TiffImageFile):
        return tame_orientation(header.tag_v2.get(ORIENTATION_TAG))
    exif = header.info.get("exif")
    return read_orientation_tag(exif) if isinstance(exif, bytes) else UPRIGHT


def _left_to_turn(header: _Header, orientation: int) -> int:
    """How what OpenCV has decoded as stored is to be turned; TIFFs it turns upright whatever it is asked."""
    if header.kind != "TIFF":
        return orientation
    return UPRIGHT if orientation == header.orientation else INVERSE.get(header.orientation, header.orientation)


def _decode(data: bytes, flags: int, kind: str) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InvalidImageError("the data is not a picture that can be decoded") from error
    if pixels is None:
        raise InvalidImageError(
            f"the {kind} is damaged or of a kind that is not read; send a whole JPEG, PNG, WebP, or 8 or 16-bit TIFF"
        )
    return pixels
