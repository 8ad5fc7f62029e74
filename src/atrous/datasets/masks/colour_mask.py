"""A label stored as a picture of colours, each of which stands for a class."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.datasets.classes.class_entries import write_colour
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.label_size import check_label_size, fit_label
from atrous.datasets.masks.mask_picture import LOSSLESS, SIXTEEN_BITS, MaskHeader, decode_colours, read_mask_header
from atrous.datasets.source import LabelValues

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File
    from atrous.datasets.source import PictureShape

# What pixels of undeclared colours get: no class may have it, so that it is void where a remedy says so.
UNDECLARED_VALUE = 65535
# Rounding by editors and colour profiles moves a channel by a few levels; blended edges lie farther away.
NEAR_LEVELS = 16
BLOCK_PX = 1 << 20
EXPORT_PNG = "export the masks again as 8-bit PNG in the colours of the list"
NEAR_COLOURS = "pixels of colours near a declared one, which were given its class"


@dataclass(frozen=True, slots=True)
class ColourMask:
    """A lossless RGB, grey or palette picture of 8 bits a channel; transparency is not looked at.

    Attributes:
        colours: pairs of 0xRRGGBB and the value that its pixels get, which is less than 65535.
    """

    file: File
    colours: tuple[tuple[int, int], ...]

    def digest(self) -> bytes:
        """A hash of the file and of what its colours mean."""
        return hashlib.sha256(self.file.read() + repr(self.colours).encode()).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """The values of its colours, or why the file cannot be a label of this picture."""
        header = read_mask_header(self.file)
        if isinstance(header, Finding):
            return header
        flaw = self._find_flaw(header) or check_label_size(self.file.name, header.size, picture, fixes)
        if flaw:
            return flaw
        pixels_HWC = decode_colours(self.file)
        if isinstance(pixels_HWC, Finding):
            return pixels_HWC
        values_HW = self._look_up(pixels_HWC)
        remarks = Counter[str]()
        if Fix.NEAREST_COLOUR in fixes:
            remarks[NEAR_COLOURS] = self._give_near(pixels_HWC, values_HW)
        if Fix.UNDECLARED_TO_VOID not in fixes and (finding := self._find_undeclared(pixels_HWC, values_HW)):
            return finding
        fitted_HW, fixed = fit_label(values_HW, picture, fixes)
        near = frozenset({Fix.NEAREST_COLOUR}) if +remarks else NO_FIXES
        return LabelValues(fitted_HW, +remarks, fixed | near)

    def _find_flaw(self, header: MaskHeader) -> Finding | None:
        if header.is_jpeg:
            reason = "is a JPEG, which changes colours"
        elif header.format_name not in LOSSLESS:
            reason = f"is {header.format_name}, not PNG"
        elif header.bits > 8 or header.mode in SIXTEEN_BITS:
            reason = f"has {header.bits} bits a channel"
        else:
            return None
        return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, EXPORT_PNG)

    def _look_up(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint16]:
        colours_K, values_K = np.array(sorted(self.colours), np.uint32).reshape(-1, 2).T
        values_HW = np.full(pixels_HWC.shape[:2], UNDECLARED_VALUE, np.uint16)
        if not len(colours_K):
            return values_HW
        for rows in _blocks(values_HW):
            packed_HW = pack_colours(pixels_HWC[rows])
            places_HW = np.minimum(np.searchsorted(colours_K, packed_HW), len(colours_K) - 1)
            is_declared_HW = colours_K[places_HW] == packed_HW
            values_HW[rows] = np.where(is_declared_HW, values_K[places_HW], UNDECLARED_VALUE)
        return values_HW

    def _give_near(self, pixels_HWC: NDArray[np.uint8], values_HW: NDArray[np.uint16]) -> int:
        """Give undeclared pixels the value of a near colour, in place; tell how many there were."""
        changed_px = 0
        for rows in _blocks(values_HW):
            is_undeclared_HW = values_HW[rows] == UNDECLARED_VALUE
            found, inverse = np.unique(pack_colours(pixels_HWC[rows])[is_undeclared_HW], return_inverse=True)
            near = np.array([self._find_near(int(colour)) for colour in found], np.uint16)
            if len(near):
                values_HW[rows][is_undeclared_HW] = near[inverse]
                changed_px += int(np.count_nonzero(near[inverse] != UNDECLARED_VALUE))
        return changed_px

    def _find_near(self, colour: int) -> int:
        """The value of the one class of the nearest declared colour, if it is near."""
        distances = [(_measure(colour, declared), value) for declared, value in self.colours]
        least = min((distance for distance, _ in distances), default=NEAR_LEVELS + 1)
        nearest = {value for distance, value in distances if distance == least}
        return nearest.pop() if least <= NEAR_LEVELS and len(nearest) == 1 else UNDECLARED_VALUE

    def _find_undeclared(self, pixels_HWC: NDArray[np.uint8], values_HW: NDArray[np.uint16]) -> Finding | None:
        is_undeclared_HW = values_HW == UNDECLARED_VALUE
        first = int(np.argmax(is_undeclared_HW))
        y, x = divmod(first, values_HW.shape[1])
        if not is_undeclared_HW[y, x]:
            return None
        colour = int(pack_colours(pixels_HWC[y, x]))
        written = write_colour(colour)
        is_near = self._find_near(colour) != UNDECLARED_VALUE
        near = f", though one within {NEAR_LEVELS} levels a channel is declared" if is_near else ""
        return Finding(
            Kind.UNDECLARED_VALUE,
            self.file.name,
            f"pixel x={x}, y={y} has the colour {written}, which no class name declares{near} "
            f"({np.count_nonzero(is_undeclared_HW)} pixels of undeclared colours)",
            f"add {written} to the class names or correct the mask",
            fix=Fix.NEAREST_COLOUR if is_near else Fix.UNDECLARED_TO_VOID,
            pixel_xy=(x, y),
            value=written,
        )


def pack_colours(pixels_C: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """0xRRGGBB of pixels whose last axis is red, green and blue."""
    wide = pixels_C.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], np.uint32)


def _blocks(values_HW: NDArray[Any]) -> Iterator[slice]:
    """Rows, few enough at a time that what is computed beside them stays small."""
    height, width = values_HW.shape
    step = max(1, BLOCK_PX // max(1, width))
    return (slice(top, top + step) for top in range(0, height, step))


def _measure(a: int, b: int) -> int:
    """The largest difference of a channel."""
    return max(abs((a >> shift & 255) - (b >> shift & 255)) for shift in (0, 8, 16))
