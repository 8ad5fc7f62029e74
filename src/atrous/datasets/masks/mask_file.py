"""A label stored as a picture of class ids, read without any conversion of its values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.datasets.classes.class_entries import write_colour
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.label_size import check_label_size, fit_label
from atrous.datasets.masks.colour_mask import pack_colours
from atrous.datasets.masks.mask_picture import LOSSLESS, SIXTEEN_BITS, MaskHeader, decode_values, read_mask_header
from atrous.datasets.masks.value_shift import shift_values
from atrous.datasets.source import LabelValues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File
    from atrous.datasets.source import PictureShape

ONE_CHANNEL = frozenset({"1", "L", "P"})
SEVERAL_CHANNELS = {
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGB with transparency",
    "LA": "grey with transparency",
}
DARK, LIGHT = 64, 192
THRESHOLD = 127
VOID_VALUE = 255
EXPORT_PNG = "export the masks again as 8-bit PNG whose pixels are class ids"


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A lossless picture with one channel of at most 8 bits; the values of a palette picture are its indices."""

    file: File

    def digest(self) -> bytes:
        """A hash of the file."""
        return hashlib.sha256(self.file.read()).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """The values as stored, or why the file cannot be a label of this picture."""
        header = read_mask_header(self.file)
        if isinstance(header, Finding):
            return header
        flaw = self._find_flaw(header, fixes) or check_label_size(self.file.name, header.size, picture, fixes)
        if flaw:
            return flaw
        pixels = decode_values(self.file)
        if isinstance(pixels, Finding):
            return pixels
        taken = self._take_values(pixels, header)
        if isinstance(taken, Finding):
            return taken
        values_HW, fixed = taken
        shifted_HW, shift_fixed = shift_values(values_HW, fixes)
        fitted_HW, size_fixed = fit_label(shifted_HW, picture, fixes)
        return LabelValues(fitted_HW, fixed=fixed | shift_fixed | size_fixed)

    def _find_flaw(self, header: MaskHeader, fixes: Fixes) -> Finding | None:
        """Why this cannot be a mask of class ids, as far as its header tells."""
        reason, fix = _describe_kind(header)
        if not reason or fix in fixes:
            return None
        return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, EXPORT_PNG, fix)

    def _take_values(self, pixels: NDArray[Any], header: MaskHeader) -> tuple[NDArray[Any], Fixes] | Finding:
        """Give values_HW and the remedy that this took, once the header allows it."""
        if header.is_jpeg:
            values_HW = threshold_jpeg(pixels)
            if values_HW is None:
                reason = "is a JPEG with greys between black and white, so its classes cannot be told apart"
                return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, EXPORT_PNG)
            return values_HW, frozenset({Fix.THRESHOLD_JPEG_MASKS})
        if pixels.ndim == 3:
            grey_HW = np.ascontiguousarray(pixels[..., 0])
            return self._find_colour(pixels) or (grey_HW, frozenset({Fix.GREY_RGB_MASKS}))
        return pixels, frozenset({Fix.SIXTEEN_BIT_MASKS}) if pixels.dtype == np.uint16 else NO_FIXES

    def _find_colour(self, pixels_HWC: NDArray[Any]) -> Finding | None:
        is_colour_HW = (pixels_HWC[..., 1:3] != pixels_HWC[..., :1]).any(axis=2)
        if not is_colour_HW.any():
            return None
        y, x = (int(n) for n in np.unravel_index(int(np.argmax(is_colour_HW)), is_colour_HW.shape))
        value = write_colour(int(pack_colours(pixels_HWC[y, x])))
        reason = f"pixel x={x}, y={y} has the colour {value}, so its pixels are no class ids"
        return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, EXPORT_PNG, pixel_xy=(x, y), value=value)


def threshold_jpeg(levels_HW: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """0 and 255 of a mask that is black and white but for what JPEG does to edges; None if it has other greys."""
    if ((levels_HW >= DARK) & (levels_HW < LIGHT)).any():
        return None
    return np.where(levels_HW > THRESHOLD, np.uint8(255), np.uint8(0))


def _describe_kind(header: MaskHeader) -> tuple[str, Fix | None]:
    """What is wrong with this kind of picture, nothing if it is right, and the remedy that would take it."""
    if header.is_jpeg:
        return "is a JPEG, which changes pixel values", Fix.THRESHOLD_JPEG_MASKS
    if header.format_name not in LOSSLESS:
        return f"is {header.format_name}, not PNG", None
    if header.mode in SIXTEEN_BITS:
        return f"has {header.bits} bits a pixel, as instance ids have", Fix.SIXTEEN_BIT_MASKS
    if header.mode in SEVERAL_CHANNELS:
        kind = SEVERAL_CHANNELS[header.mode]
        if header.bits > 8:
            return f"is {kind} with {header.bits} bits a channel, so its pixels are no class ids", None
        return f"is {kind}, so its pixels are no class ids", Fix.GREY_RGB_MASKS
    return ("", None) if header.mode in ONE_CHANNEL else (f"has pixels of kind {header.mode}", None)
