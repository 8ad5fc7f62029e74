"""A picture's file, looked at before it is taken: whole, not too large, and which way up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import simplejpeg

from atrous.bundle.picture import DEFAULT_MAX_PIXELS, decode_picture, read_picture_size
from atrous.core.errors import InvalidImageError, TooLargeError
from atrous.core.sizes import Size
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.looks import compute_look
from atrous.datasets.orientation import read_orientation, turn_upright
from atrous.datasets.source import PictureShape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File

JPEG_SIGNATURE = b"\xff\xd8\xff"
SMALL_PX = 136  # eight pixels for each of a look, and a fraction of the work of decoding all
# Some cameras pad the pixels' data before the end marker; it may also be a sign of damage.
PADDING = "extraneous bytes before marker 0xd9"
COPY_AGAIN = "copy or export it again"


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """A picture that can be decoded.

    Attributes:
        data: the file's bytes, untouched.
        look: see `looks.py`.
        warnings: what is odd about it.
    """

    data: bytes
    shape: PictureShape
    look: bytes
    warnings: tuple[Finding, ...] = ()


def check_picture(file: File) -> CheckedPicture | Finding:
    """Read a picture and decode all of it, or say why it cannot be used."""
    try:
        data = file.read()
        size = read_picture_size(data)
        if size.pixels > DEFAULT_MAX_PIXELS:
            reason = f"has {size.pixels} pixels ({size}); the limit is {DEFAULT_MAX_PIXELS}"
            return Finding(Kind.TOO_LARGE, file.name, reason, "cut it into tiles, and its label with it")
        if data.startswith(JPEG_SIGNATURE) and (checked := _check_jpeg(file, data, size)):
            return checked
        return _check_by_decoding(data, size)
    except UnreadableFileError as error:
        return Finding(Kind.UNREADABLE, file.name, str(error), "check that it exists and may be read")
    except TooLargeError as error:
        return Finding(Kind.TOO_LARGE, file.name, str(error), "make it smaller, and its label with it")
    except InvalidImageError as error:
        return Finding(Kind.DAMAGED_PICTURE, file.name, str(error), COPY_AGAIN)


def _check_jpeg(file: File, data: bytes, size: Size) -> CheckedPicture | Finding | None:
    """OpenCV fills missing or damaged parts of a JPEG with grey and says nothing; this decoder tells.

    None for the rare kinds of JPEG that it cannot decode at all.
    """
    warnings: tuple[Finding, ...] = ()
    try:
        grey_HWC = _decode_small(data, strict=True)
    except ValueError as error:
        try:
            grey_HWC = _decode_small(data, strict=False)
        except ValueError:
            return None
        if PADDING not in str(error):
            reason = f"is cut off or damaged ({_phrase(error)})"
            return Finding(Kind.DAMAGED_PICTURE, file.name, reason, COPY_AGAIN)
        reason = "has bytes between its pixels and its end, which some cameras write and damage leaves"
        warnings = (Finding(Kind.MAYBE_DAMAGED, file.name, reason, "look at it"),)
    orientation = read_orientation(data)
    look = compute_look(turn_upright(grey_HWC[..., 0], orientation))
    return CheckedPicture(data, PictureShape(_turn_size(size, orientation), orientation), look, warnings)


def _decode_small(data: bytes, *, strict: bool) -> NDArray[Any]:
    return simplejpeg.decode_jpeg(data, "GRAY", min_height=SMALL_PX, min_width=SMALL_PX, min_factor=1, strict=strict)


def _phrase(error: ValueError) -> str:
    return str(error).rstrip(".").replace("Corrupt JPEG data: ", "")


def _check_by_decoding(data: bytes, size: Size) -> CheckedPicture:
    image_HWC = decode_picture(data)
    upright = Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
    look = compute_look(np.asarray(cv2.cvtColor(image_HWC, cv2.COLOR_BGR2GRAY), np.uint8))
    orientation = read_orientation(data)
    is_turned = _turn_size(size, orientation) == upright
    return CheckedPicture(data, PictureShape(upright, orientation if is_turned else 1), look)


def _turn_size(size: Size, orientation: int) -> Size:
    return Size(height=size.width, width=size.height) if orientation >= 5 else size
