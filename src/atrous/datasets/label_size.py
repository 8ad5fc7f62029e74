"""Whether a label fits its picture, and the two remedies if it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from atrous.bundle.picture import DEFAULT_MAX_PIXELS
from atrous.core.sizes import Size
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.orientation import turn_upright

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.datasets.source import PictureShape

Values = TypeVar("Values", np.uint8, np.uint16)


def check_label_size(file: str, label: Size, picture: PictureShape, fixes: Fixes) -> Finding | None:
    """A finding unless the label has the size of its picture as people see it, or `fixes` bring it there.

    To be asked before a pixel of the label is decoded.
    """
    if label == picture.size or _find_size_fix(label, picture) in fixes:
        return None
    if label.pixels > DEFAULT_MAX_PIXELS:
        reason = f"the label is {label}, its picture {picture.size}, and labels of over {DEFAULT_MAX_PIXELS} pixels are"
        return Finding(Kind.TOO_LARGE, file, f"{reason} not decoded", "export the label at its picture's size")
    fix = _find_size_fix(label, picture)
    if fix is Fix.TURN_LABELS:
        reason = f"the label is {label}, its picture {picture.size} once it is turned as its EXIF data says"
        return Finding(Kind.WRONG_SIZE, file, reason, "turn the label as well, or save the picture upright", fix)
    reason = f"the label is {label}, its picture {picture.size}"
    return Finding(Kind.WRONG_SIZE, file, reason, "export both at the same size", fix)


def fit_label(
    values_HW: NDArray[Values], picture: PictureShape, fixes: Fixes
) -> tuple[NDArray[Values], frozenset[Fix]]:
    """Bring a label that `check_label_size` let pass to its picture's size; tell which remedy that took."""
    height, width = values_HW.shape
    fix = _find_size_fix(Size(height=height, width=width), picture)
    if Fix.TURN_LABELS in fixes and picture.orientation != 1 and fix in {None, Fix.TURN_LABELS}:
        return turn_upright(values_HW, picture.orientation), frozenset({Fix.TURN_LABELS})
    if fix is not Fix.RESIZE_LABELS:
        return values_HW, NO_FIXES
    size = (picture.size.width, picture.size.height)
    scaled_HW = cv2.resize(values_HW, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(scaled_HW, values_HW.dtype), frozenset({Fix.RESIZE_LABELS})


def _find_size_fix(label: Size, picture: PictureShape) -> Fix | None:
    size = picture.size
    if label == size or label.pixels > DEFAULT_MAX_PIXELS or not label.pixels:
        return None
    if picture.is_turned_sideways and (label.height, label.width) == (size.width, size.height):
        return Fix.TURN_LABELS
    # The same shape, when sides were rounded to whole pixels.
    scale = max(label.height, label.width) / max(size.height, size.width)
    is_same_shape = abs(label.height - scale * size.height) <= 1 and abs(label.width - scale * size.width) <= 1
    return Fix.RESIZE_LABELS if is_same_shape else None
