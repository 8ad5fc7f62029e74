"""A label drawn as outlines, painted in their order."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.datasets.findings import Finding, Kind
from atrous.datasets.label_size import check_label_size, fit_label
from atrous.datasets.outlines.shapes import UnusableOutlineError
from atrous.datasets.source import LabelValues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.files.tree import File
    from atrous.datasets.fixes import Fixes
    from atrous.datasets.outlines.shapes import Area, Shape
    from atrous.datasets.source import PictureShape

# Values of 16 bits that no outline's class may have.
UNPAINTED_VALUE = 0
UNSCORED_VALUE = 65535
OVERPAINTED = "pixels where outlines of different classes overlap, where the later one counts"
WITHOUT_AREA = "outlines without area, which were ignored"
CLIPPED = "outlines that reach out of their picture, which were clipped"
BOXES = "boxes without an outline, whose pixels became void where no outline covers them"
REDRAW = "draw its outline again or delete it"


@dataclass(frozen=True, slots=True)
class Outline:
    """One object.

    Attributes:
        name: how to call it in a message, such as `annotation 17`.
        value: what its pixels get.
        shape: its pixels.
    """

    name: str
    value: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class OutlineLabel:
    """Outlines of one picture in the order of painting: later ones cover earlier ones.

    Attributes:
        size: of the picture that they were drawn for; None where the source does not say it.
        boxes: where objects are known to be, but not which pixels are theirs.
    """

    file: File
    size: Size | None
    outlines: tuple[Outline, ...]
    boxes: tuple[Shape, ...] = ()

    def digest(self) -> bytes:
        """A hash of the outlines and of the size they are drawn for."""
        said = self.size, [(one.value, one.shape) for one in self.outlines], self.boxes
        return hashlib.sha256(repr(said).encode()).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """Paint the outlines, or say why they cannot be a label of this picture."""
        size = self.size or picture.size
        if finding := check_label_size(self.file.name, size, picture, fixes):
            return finding
        if self.boxes and not self.outlines:
            reason = f"has only boxes ({len(self.boxes)}), which do not say what pixels are the objects'"
            return Finding(Kind.UNUSABLE_OUTLINE, self.file.name, reason, "draw their outlines or delete the boxes")
        values_HW = np.full((size.height, size.width), UNPAINTED_VALUE, np.uint16)
        remarks = Counter[str]()
        for outline in self.outlines:
            try:
                remarks.update(_paint(values_HW, outline.shape.rasterise(size), outline.value))
            except UnusableOutlineError as error:
                return Finding(Kind.UNUSABLE_OUTLINE, self.file.name, f"{outline.name} {error}", REDRAW)
        try:
            for box in self.boxes:
                _fill_unpainted(values_HW, box.rasterise(size))
        except UnusableOutlineError as error:
            return Finding(Kind.UNUSABLE_OUTLINE, self.file.name, f"a box {error}", "draw it again or delete it")
        remarks[BOXES] = len(self.boxes)
        fitted_HW, fixed = fit_label(values_HW, picture, fixes)
        return LabelValues(fitted_HW, dict(+remarks), fixed)


def _paint(values_HW: NDArray[np.uint16], area: Area | None, value: int) -> dict[str, int]:
    """Paint one object and give remarks about it."""
    if area is None:
        return {WITHOUT_AREA: 1}
    window_HW = _find_window(values_HW, area)
    covered = window_HW[area.is_inside_HW]
    window_HW[area.is_inside_HW] = value
    overpainted_px = int(np.count_nonzero((covered != UNPAINTED_VALUE) & (covered != value)))
    return {OVERPAINTED: overpainted_px, CLIPPED: int(area.is_clipped)}


def _fill_unpainted(values_HW: NDArray[np.uint16], box: Area | None) -> None:
    if box is not None:
        window_HW = _find_window(values_HW, box)
        window_HW[box.is_inside_HW & (window_HW == UNPAINTED_VALUE)] = UNSCORED_VALUE


def _find_window(values_HW: NDArray[np.uint16], area: Area) -> NDArray[np.uint16]:
    height, width = area.is_inside_HW.shape
    return values_HW[area.top : area.top + height, area.left : area.left + width]
