"""A picture with its label mask drawn over it."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID, ClassMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_RATIO = 0.618033988749895
SMALL_SIDE_PX = 160
# Drawn so many rows at a time, a large picture takes no memory but its overlay's.
BAND_HEIGHT = 256


@cache
def class_colours_BGR(count: int) -> NDArray[np.uint8]:
    """One colour [count, 3] per class id, far apart for neighbours, the same in every run; background is black.

    The array is shared and cannot be written to.
    """
    colours = np.zeros((count, 3), np.uint8)
    for class_id in range(1, count):
        red, green, blue = colorsys.hsv_to_rgb((class_id * GOLDEN_RATIO) % 1, 0.75, 0.95)
        colours[class_id] = [round(255 * blue), round(255 * green), round(255 * red)]
    colours.flags.writeable = False
    return colours


def draw_overlay(
    image_HWC: NDArray[np.uint8],
    mask_HW: NDArray[np.uint8],
    class_map: ClassMap,
    *,
    opacity: float = 0.5,
    outline_px: int = 0,
    names: bool = True,
) -> NDArray[np.uint8]:
    """Blend each class's colour over the BGR picture, background left as it is.

    Args:
        image_HWC: the picture, BGR; it is not changed.
        mask_HW: class ids.
        class_map: names of the ids.
        opacity: share of the class's colour, 0 to 1.
        outline_px: width of a rim in the full colour on the inner side of each border between classes.
        names: write its name on each large region; it may reach past a thin one.
    """
    colours = class_colours_BGR(256)
    overlay_HWC = np.empty_like(image_HWC)
    for top in range(0, len(mask_HW), BAND_HEIGHT):
        band = slice(top, top + BAND_HEIGHT)
        coloured_HWC = cv2.applyColorMap(mask_HW[band], colours[:, None])
        cv2.addWeighted(image_HWC[band], 1 - opacity, coloured_HWC, opacity, 0, dst=overlay_HWC[band])
        cv2.copyTo(image_HWC[band], (mask_HW[band] == BACKGROUND_ID).view(np.uint8), overlay_HWC[band])
        if outline_px:
            cv2.copyTo(coloured_HWC, _find_rim(mask_HW, outline_px, top), overlay_HWC[band])
    if names:
        _write_names(overlay_HWC, mask_HW, class_map, colours)
    return overlay_HWC


def _find_rim(mask_HW: NDArray[np.uint8], width_px: int, top: int) -> cv2.typing.MatLike:
    """Non-zero at pixels of a band that have a class, and another id within `width_px`.

    The edge of the picture is no border.
    """
    first = max(top - width_px, 0)
    around_HW = mask_HW[first : top + BAND_HEIGHT + width_px]
    window = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    mixed_HW = cv2.absdiff(cv2.dilate(around_HW, window), cv2.erode(around_HW, window))
    return cv2.min(mixed_HW, around_HW)[top - first :][:BAND_HEIGHT]


def _write_names(
    overlay_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], class_map: ClassMap, colours: NDArray[np.uint8]
) -> None:
    # Where a name goes is seen well enough in a small picture of the mask.
    step = max(1, min(mask_HW.shape) // SMALL_SIDE_PX)
    small_HW = np.ascontiguousarray(mask_HW[::step, ::step])
    counts = cv2.calcHist([small_HW], [0], None, [256], [0, 256])
    for class_id in np.flatnonzero(counts).tolist():
        if class_id != BACKGROUND_ID and class_id < len(class_map):
            region_HW = (small_HW == class_id).view(np.uint8)
            _write_name(overlay_HWC, region_HW, step, class_map.names[class_id], colours[class_id])


def _write_name(
    overlay_HWC: NDArray[np.uint8], region_HW: NDArray[np.uint8], step: int, name: str, colour: NDArray[np.uint8]
) -> None:
    """Write a class's name in the middle of its largest region, if that has room for it by area.

    Args:
        overlay_HWC: where it is written.
        region_HW: non-zero where the class is, for every `step`-th row and column of the overlay.
        step: pixels of the overlay per pixel of the region.
        name: of the class.
        colour: of the class, BGR.
    """
    count, labels_HW, stats, centres = cv2.connectedComponentsWithStats(region_HW)
    if count < 2:
        return
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    scale = max(0.4, min(overlay_HWC.shape[:2]) / 1000)
    thickness = max(1, round(scale * 1.5))
    (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    if stats[largest, cv2.CC_STAT_AREA] * step**2 < 2 * width * height:
        return
    x, y = (int(value) for value in centres[largest])
    if labels_HW[y, x] != largest:
        ys, xs = np.nonzero(labels_HW == largest)
        x, y = int(xs[len(xs) // 2]), int(ys[len(ys) // 2])
    left = int(np.clip(x * step - width // 2, 2, max(2, overlay_HWC.shape[1] - width - 2)))
    base = int(np.clip(y * step + height // 2, height + 2, max(height + 2, overlay_HWC.shape[0] - 4)))
    cv2.rectangle(overlay_HWC, (left - 3, base - height - 4), (left + width + 3, base + 5), colour.tolist(), cv2.FILLED)
    ink = (0, 0, 0) if int(colour.astype(int).sum()) > 330 else (255, 255, 255)
    cv2.putText(overlay_HWC, name, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
