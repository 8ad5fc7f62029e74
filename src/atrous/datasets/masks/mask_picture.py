"""A mask's file as a picture: its header without decoding, and its pixels without any conversion of values."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atrous.bundle.picture import UNREADABLE
from atrous.core.sizes import Size
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File

HEAD_BYTES = 64 * 1024  # enough for the header of most masks: no camera writes them
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "GIF"})
SIXTEEN_BITS = frozenset({"I;16", "I;16B", "I;16L", "I"})
COLOUR = frozenset({"RGB", "RGBA", "RGBX", "LA", "PA", "CMYK", "YCbCr"})
# PNG specification, 11.2.1: the bits a sample are the ninth byte of the IHDR chunk's data.
PNG_BITS_AT = 24
TIFF_BITS = 258
# Pillow stretches grey of 2 and 4 bits to 0..255; this brings the stored values back.
STRETCH_BY_BITS = {2: 85, 4: 17}
EXPORT_AGAIN = "copy or export it again"
DAMAGED = "is cut off or damaged"


@dataclass(frozen=True, slots=True)
class MaskHeader:
    """What a file says about its pixels.

    Attributes:
        format_name: as Pillow calls it.
        mode: Pillow's for the kind of pixels; `P` is a palette, `1` and `L` are grey.
        bits: of a channel as stored, or of a palette's index.
    """

    format_name: str
    mode: str
    size: Size
    bits: int

    @property
    def is_jpeg(self) -> bool:
        """Whether values were changed when the file was saved."""
        return self.format_name == "JPEG"

    @property
    def has_colour(self) -> bool:
        """Whether a pixel is more than one number."""
        return self.mode in COLOUR


def read_mask_header(file: File) -> MaskHeader | Finding:
    """The header of a mask's file, or why it has none; pixels are not decoded."""
    try:
        head = file.read_head(HEAD_BYTES)
        header = None if head.startswith(TIFF_SIGNATURES) else _parse_header(head)
        if (header is None and len(head) == HEAD_BYTES) or head.startswith(TIFF_SIGNATURES):
            header = _parse_header(file.read())  # a TIFF's header may come last, other files may begin with a profile
    except UnreadableFileError as error:
        return Finding(Kind.UNREADABLE, file.name, str(error), "check that it exists and may be read")
    return header or Finding(Kind.DAMAGED_LABEL, file.name, _describe_no_picture(head), EXPORT_AGAIN)


def decode_values(file: File) -> NDArray[Any] | Finding:
    """Pixels as HxW uint8 or uint16, as HxWx3 uint8 where they are colours; indices where they are of a palette."""
    return _decode(file, _take_values)


def decode_colours(file: File) -> NDArray[Any] | Finding:
    """Pixels as HxWx3 uint8, red first, those of a palette through it; transparency is not looked at."""
    return _decode(file, _take_colours)


def _parse_header(head: bytes) -> MaskHeader | None:
    try:
        with Image.open(io.BytesIO(head)) as mask:
            width, height = mask.size
            format_name = "JPEG" if _is_jpeg(mask) else mask.format or ""
            return MaskHeader(format_name, mask.mode, Size(height=height, width=width), _find_bits(mask, head))
    except (*UNREADABLE, struct.error):
        return None


def _is_jpeg(mask: Image.Image) -> bool:
    """Whether pixels are stored as JPEG does, by itself or inside a TIFF."""
    return mask.format in {"JPEG", "MPO"} or "jpeg" in str(mask.info.get("compression", ""))


def _find_bits(mask: Image.Image, head: bytes) -> int:
    if mask.format == "PNG":
        return head[PNG_BITS_AT]
    if mask.format == "TIFF":
        tags: Any = getattr(mask, "tag_v2", {})
        return max(tags.get(TIFF_BITS, (1,)))
    return 1 if mask.mode == "1" else 8


def _describe_no_picture(head: bytes) -> str:
    if not head:
        return "is empty"
    is_png = PNG_SIGNATURE.startswith(head[:8]) or head.startswith(PNG_SIGNATURE)
    return DAMAGED if is_png or head.startswith((b"\xff\xd8", b"GIF8", *TIFF_SIGNATURES)) else "is not a picture"


def _decode(file: File, take: Callable[[Image.Image, int], NDArray[Any] | None]) -> NDArray[Any] | Finding:
    try:
        data = file.read()
    except UnreadableFileError as error:
        return Finding(Kind.UNREADABLE, file.name, str(error), "check that it exists and may be read")
    pixels = None
    if not data.startswith(PNG_SIGNATURE) or _is_whole_png(data):
        try:
            with Image.open(io.BytesIO(data)) as mask:
                pixels = take(mask, _find_bits(mask, data))
        except (*UNREADABLE, struct.error):
            pixels = None
    return Finding(Kind.DAMAGED_LABEL, file.name, DAMAGED, EXPORT_AGAIN) if pixels is None else pixels


def _is_whole_png(data: bytes) -> bool:
    """Whether all chunks that pixels depend on have the checksum they carry, which Pillow does not compare."""
    bytes_ = memoryview(data)
    at = len(PNG_SIGNATURE)
    while len(head := data[at : at + 8]) == 8:
        end = at + 12 + int.from_bytes(head[:4], "big")
        is_needed = not head[4] & 0x20  # PNG specification, 5.4: bit 5 of the first letter
        if is_needed and zlib.crc32(bytes_[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if head[4:] == b"IEND":
            return True
        at = end
    return False


def _take_values(mask: Image.Image, bits: int) -> NDArray[Any] | None:
    # Not OpenCV: it replaces palette indices by their colours.
    if _is_jpeg(mask):
        return np.asarray(mask.convert("L"))
    if mask.mode in COLOUR:
        return _take_colours(mask, bits)
    if mask.format == "GIF" and mask.mode == "P":
        return _take_gif(mask)
    pixels_HW = np.asarray(mask)
    if pixels_HW.dtype == np.uint8:
        return pixels_HW // np.uint8(STRETCH_BY_BITS.get(bits, 1) if mask.mode == "L" else 1)
    return _narrow(pixels_HW)


def _narrow(pixels_HW: NDArray[Any]) -> NDArray[Any] | None:
    """Booleans as 8 bits and numbers as 16, or None if these are too few."""
    if pixels_HW.dtype == np.bool_:
        return pixels_HW.astype(np.uint8)
    is_too_wide = pixels_HW.min() < 0 or pixels_HW.max() > np.iinfo(np.uint16).max
    return None if is_too_wide else pixels_HW.astype(np.uint16)


def _take_gif(mask: Image.Image) -> NDArray[np.uint8]:
    """Grey levels where all colours are grey, since writers of GIF number these anew; indices otherwise."""
    colours_N3 = np.array(mask.getpalette(), np.uint8).reshape(-1, 3)
    indices_HW = np.asarray(mask)
    is_grey = bool((colours_N3 == colours_N3[:, :1]).all()) and indices_HW.max() < len(colours_N3)
    return colours_N3[indices_HW, 0] if is_grey else indices_HW


def _take_colours(mask: Image.Image, bits: int) -> NDArray[Any]:  # noqa: ARG001 - a palette's and 8 bits are one
    return np.asarray(mask.convert("RGB"))
