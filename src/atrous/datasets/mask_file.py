"""A label stored as a PNG of class ids, read without any conversion of its values."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atrous.core.sizes import Size
from atrous.datasets.findings import Finding, find_unreadable, find_wrong_size
from atrous.datasets.source import LabelValues

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
HEADER_BYTES = 26  # signature, IHDR's length and name, and its first four fields
# PNG specification, table 11.1: colour types.
GREY, PALETTE = 0, 3
COLOUR_NAMES = {2: "RGB", 4: "grey with transparency", 6: "RGB with transparency"}
# Pillow stretches grey of 2 and 4 bits to 0..255; this brings the stored values back.
STRETCH_BY_BITS = {1: 1, 2: 85, 4: 17, 8: 1}
EXPORT_PNG = "export the masks again as 8-bit PNG whose pixels are class ids"


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A PNG with one channel, grey or palette, of at most 8 bits; the values of a palette PNG are its indices."""

    path: Path

    def load(self, picture: Size) -> LabelValues | Finding:
        """The values as stored, or why the file cannot be a label of this picture."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            return find_unreadable(self.path, error)
        if reason := _find_flaw(data):
            return Finding(self.path, reason, EXPORT_PNG)
        width, height, bits, colour = _read_header(data)
        if finding := find_wrong_size(self.path, Size(height=height, width=width), picture):
            return finding
        values_HW = _decode(data)
        if values_HW is None:
            return Finding(self.path, "is cut off or damaged", "copy or export it again")
        return LabelValues(values_HW // np.uint8(STRETCH_BY_BITS[bits] if colour == GREY else 1))


def _read_header(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, bits a sample and colour type, from the IHDR chunk, which is always first."""
    return struct.unpack(">IIBB", data[16:HEADER_BYTES])


def _find_flaw(data: bytes) -> str | None:
    """Why these bytes are no PNG of class ids, as far as their header tells."""
    if not data.startswith(PNG_SIGNATURE) or len(data) < HEADER_BYTES:
        return _describe_no_png(data)
    width, height, bits, colour = _read_header(data)
    if colour not in {GREY, PALETTE}:
        return f"is {COLOUR_NAMES.get(colour, f'of unknown colour type {colour}')}, so its pixels are no class ids"
    if bits not in STRETCH_BY_BITS:
        return f"has {bits} bits a pixel, as instance ids have"
    return None if width and height else "has no pixels"


def _decode(data: bytes) -> NDArray[np.uint8] | None:
    # Not OpenCV: it replaces palette indices by their colours.
    try:
        with Image.open(io.BytesIO(data)) as mask:
            return np.asarray(mask).astype(np.uint8)
    except (OSError, ValueError, SyntaxError, EOFError):
        return None


def _describe_no_png(data: bytes) -> str:
    if not data:
        return "is empty"
    if data.startswith(JPEG_SIGNATURE):
        return "is a JPEG, which changes pixel values"
    return "is cut off" if PNG_SIGNATURE.startswith(data[:8]) else "is not a PNG"
