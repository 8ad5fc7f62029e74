"""A picture with its label mask drawn over it."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID, ClassMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_RATIO = 0.618033988749895


def class_colours_BGR(count: int) -> NDArray[np.uint8]:
    """One colour [count, 3] per class id, far apart for neighbours, the same in every run; background is black."""
    colours = np.zeros((count, 3), np.uint8)
    for class_id in range(1, count):
        red, green, blue = colorsys.hsv_to_rgb((class_id * GOLDEN_RATIO) % 1, 0.75, 0.95)
        colours[class_id] = [round(255 * blue), round(255 * green), round(255 * red)]
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
    blended = cv2.addWeighted(image_HWC, 1 - opacity, colours[mask_HW], opacity, 0)
    overlay_HWC = np.where((mask_HW == BACKGROUND_ID)[..., None], image_HWC, blended).astype(np.uint8)
    if outline_px:
        rim_HW = _find_rim(mask_HW, outline_px)
        overlay_HWC[rim_HW] = colours[mask_HW[rim_HW]]
    if names:
        _write_names(overlay_HWC, mask_HW, class_map, colours)
    return overlay_HWC


def _find_rim(mask_HW: NDArray[np.uint8], width_px: int) -> NDArray[np.bool_]:
    """Pixels of a class that have another id within `width_px`; the edge of the picture is no border."""
    window = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    is_mixed_HW = cv2.dilate(mask_HW, window) != cv2.erode(mask_HW, window)
    return is_mixed_HW & (mask_HW != BACKGROUND_ID)


def _write_names(
    overlay_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], class_map: ClassMap, colours: NDArray[np.uint8]
) -> None:
    found: list[int] = np.unique(mask_HW).tolist()
    for class_id in found:
        if class_id != BACKGROUND_ID and class_id < len(class_map):
            _write_name(overlay_HWC, mask_HW == class_id, class_map.names[class_id], colours[class_id])


def _write_name(
    overlay_HWC: NDArray[np.uint8], region_HW: NDArray[np.bool_], name: str, colour: NDArray[np.uint8]
) -> None:
    """Write a class's name in the middle of its largest region, if that has room for it by area."""
    count, labels_HW, stats, centres = cv2.connectedComponentsWithStats(region_HW.astype(np.uint8))
    if count < 2:
        return
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    scale = max(0.4, min(overlay_HWC.shape[:2]) / 1000)
    thickness = max(1, round(scale * 1.5))
    (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    if stats[largest, cv2.CC_STAT_AREA] < 2 * width * height:
        return
    x, y = (int(value) for value in centres[largest])
    if labels_HW[y, x] != largest:
        ys, xs = np.nonzero(labels_HW == largest)
        x, y = int(xs[len(xs) // 2]), int(ys[len(ys) // 2])
    left = int(np.clip(x - width // 2, 2, max(2, overlay_HWC.shape[1] - width - 2)))
    base = int(np.clip(y + height // 2, height + 2, max(height + 2, overlay_HWC.shape[0] - 4)))
    cv2.rectangle(overlay_HWC, (left - 3, base - height - 4), (left + width + 3, base + 5), colour.tolist(), cv2.FILLED)
    ink = (0, 0, 0) if int(colour.astype(int).sum()) > 330 else (255, 255, 255)
    cv2.putText(overlay_HWC, name, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
