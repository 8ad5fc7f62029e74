"""Pictures of a page: the picture itself, its label, what was predicted and where the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.datasets.drawing import draw_label, jpeg_uri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.datasets.drawing import Draw
    from atrous.evaluation.examples import Example
    from atrous.evaluation.label_issues import IssueCrop

# Told apart from grey by the colour-blind too.
WRONG_BGR = (0, 94, 213)
FADED = 0.45
# Some fifty pictures have to fit into a page that is sent by mail.
QUALITY = 72


@dataclass(frozen=True, slots=True)
class View:
    """One image of a page: what it shows, its data and its size."""

    caption: str
    uri: str
    width: int
    height: int


def show(caption: str, image_HWC: NDArray[np.uint8]) -> View:
    """Put a picture into a page."""
    return View(caption, jpeg_uri(image_HWC, QUALITY), image_HWC.shape[1], image_HWC.shape[0])


def show_example(example: Example, draw: Draw) -> list[View]:
    """A picture, its label, its prediction and the wrong pixels."""
    image_HWC, label_HW, predicted_HW = example.image_HWC, example.label_HW, example.predicted_HW
    return [
        show("Picture", image_HWC),
        show("Label", draw_label(image_HWC, label_HW, draw)),
        show("Prediction", draw(image_HWC, predicted_HW)),
        show("Errors", draw_errors(image_HWC, label_HW, predicted_HW)),
    ]


def show_crop(crop: IssueCrop, draw: Draw) -> list[View]:
    """A doubtful region in its picture, label and prediction."""
    pixels = {
        "Picture": crop.image_HWC,
        "Label": draw_label(crop.image_HWC, crop.label_HW, draw),
        "Prediction": draw(crop.image_HWC, crop.predicted_HW),
    }
    return [show(caption, mark_box(image_HWC, crop.box_xywh_px)) for caption, image_HWC in pixels.items()]


def mark_box(image_HWC: NDArray[np.uint8], box_xywh_px: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The picture with a thin frame around a box, seen on dark and bright ground."""
    marked_HWC = image_HWC.copy()
    x, y, width, height = box_xywh_px
    for away, colour in ((2, (0, 0, 0)), (1, (255, 255, 255))):
        corners = (x - away, y - away), (x + width - 1 + away, y + height - 1 + away)
        cv2.rectangle(marked_HWC, *corners, colour, 1)
    return marked_HWC


def draw_errors(
    image_HWC: NDArray[np.uint8], label_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The picture in faint grey, wrong pixels in red; void is never wrong."""
    grey_HW = cv2.cvtColor(image_HWC, cv2.COLOR_BGR2GRAY)
    faint_HW = cv2.addWeighted(grey_HW, FADED, np.full_like(grey_HW, 255), 1 - FADED, 0)
    drawn_HWC = np.asarray(cv2.cvtColor(faint_HW, cv2.COLOR_GRAY2BGR), np.uint8)
    drawn_HWC[(label_HW != predicted_HW) & (label_HW != VOID_ID)] = WRONG_BGR
    return drawn_HWC
