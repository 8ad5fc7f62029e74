"""Labels drawn over pictures for pages that need no other file."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID, VOID_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# From image_HWC and mask_HW (class ids) to the picture with its mask drawn over it, BGR uint8, same size.
Draw: TypeAlias = "Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]]"

JPEG_QUALITY = 82
STRIPE_PX = 8


def draw_label(image_HWC: NDArray[np.uint8], label_HW: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    """The label with void as grey stripes: void is no class, so `draw` has no colour for it."""
    void_HW = label_HW == VOID_ID
    drawn_HWC = draw(image_HWC, np.where(void_HW, np.uint8(BACKGROUND_ID), label_HW)).copy()
    rows_H1, columns_1W = np.ogrid[: label_HW.shape[0], : label_HW.shape[1]]
    stripes_HW = (rows_H1 + columns_1W) // STRIPE_PX % 2 == 0
    drawn_HWC[void_HW & stripes_HW] = 150
    drawn_HWC[void_HW & ~stripes_HW] = 90
    return drawn_HWC


def css_colour(class_id: int, draw: Draw) -> str:
    """How a class looks when it is drawn over white."""
    tile_HWC = draw(np.full((4, 4, 3), 255, np.uint8), np.full((4, 4), class_id, np.uint8))
    blue, green, red = tile_HWC[2, 2].tolist()
    return f"rgb({red} {green} {blue})"


def jpeg_uri(image_HWC: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> str:
    """The picture as the address of an HTML image; quality is 1 to 100."""
    _, jpeg = cv2.imencode(".jpg", image_HWC, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")
