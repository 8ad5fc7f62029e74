"""How much smaller a JPEG may be decoded when a network sees far fewer pixels than it has."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from atrous.bundle.jpeg import DIVISORS
from atrous.bundle.picture import DEFAULT_MAX_PIXELS, Picture, decode_reduced
from atrous.bundle.preprocessing import Fit, Preprocessing, place_picture

if TYPE_CHECKING:
    from atrous.core.sizes import Size


class JpegScale(StrEnum):
    """At which scale JPEGs are decoded for a network: every pixel, or as few as still hold its input."""

    FULL = "full"
    AUTO = "auto"


def decode_for(
    data: bytes, preprocessing: Preprocessing, scale: JpegScale, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Picture:
    """Decode a picture for a network, turned if its preprocessing turns pictures.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
        TooLargeError: if the picture has more than `max_pixels`.
    """
    find = partial(find_divisor, preprocessing=preprocessing, scale=scale)
    return decode_reduced(data, find, auto_orient=preprocessing.auto_orient, max_pixels=max_pixels)


def find_divisor(picture: Size, preprocessing: Preprocessing, scale: JpegScale = JpegScale.AUTO) -> int:
    """The greatest of 8, 4, 2 and 1 by which what the network sees can be divided and still hold its input.

    Always 1 where pixels are taken as they are (center-crop, tiles) or counted (contrast).
    """
    is_pixelwise = preprocessing.fit is Fit.CENTER_CROP or preprocessing.tiles or preprocessing.contrast
    if scale is JpegScale.FULL or is_pixelwise:
        return 1
    placement = place_picture(picture, preprocessing)
    seen, inner = placement.window.size, placement.inner.size
    spare = min(seen.height // inner.height, seen.width // inner.width)
    return next((divisor for divisor in DIVISORS if divisor <= spare), 1)
