"""Regions where a model is sure that the label is wrong, most suspicious first.

Labels of public datasets have real errors, and a model that learnt from many labels contradicts the odd one. A pixel
is in dispute if the winner is another class than the label's, with at least `SURE` confidence. Void is never in
dispute, nor is a band along the borders of the label, because no two people draw a border alike. Pixels in dispute
that touch each other and agree about both classes are a region; it weighs the sum of their confidence over the pixels
of the picture, so that small pictures count as much as large ones.
"""

from __future__ import annotations

import csv
import heapq
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.evaluation.evaluate import Labelled, Predicted

Kept = TypeVar("Kept")

SURE = 0.8
# Of the picture's diagonal, as wide as people's borders differ: 6 px for 480x360.
BAND_SHARE = 0.01
# Of the picture: what is smaller is not worth a person's look.
LEAST_SHARE = 2e-4
KEPT_ISSUES, SHOWN_ISSUES = 1000, 12
CROP_SIDE_PX = 240
# Of the region's longer side, left and right of it.
CROP_MARGIN = 0.5
LEAST_CROP_PX = 96
COLUMNS = (
    "rank", "picture", "x", "y", "width", "height", "labelled", "predicted", "area_px", "mean_confidence", "weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A region of a picture whose label is in dispute.

    Attributes:
        box_xywh_px: left, top, width and height in the picture.
        labelled: class id of the label.
        predicted: class id of the model.
        area_px: pixels of the region.
        mean_confidence: of the model in its class there, 0.8 to 1.
        weight: sum of the confidence over the pixels of the picture, 0 to 1; what the ranking goes by.
    """

    picture: str
    box_xywh_px: tuple[int, int, int, int]
    labelled: int
    predicted: int
    area_px: int
    mean_confidence: float
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class IssueCrop:
    """An issue with its surroundings, the longer side at most 240 px; masks hold class ids, 255 where void.

    Attributes:
        box_xywh_px: where the region lies in the crop.
    """

    issue: LabelIssue
    box_xywh_px: tuple[int, int, int, int]
    image_HWC: NDArray[np.uint8]
    label_HW: NDArray[np.uint8]
    predicted_HW: NDArray[np.uint8]


class IssueList:
    """Keeps the weightiest issues of all pictures shown to it, and small copies of the foremost.

    Args:
        class_count: K.
        kept: how many issues at most.
        shown: how many of them with a small copy.
    """

    def __init__(self, class_count: int, *, kept: int = KEPT_ISSUES, shown: int = SHOWN_ISSUES) -> None:
        self._class_count = class_count
        self._kept = kept
        self._shown = shown
        # The lightest is first; an earlier one outranks an equal one that came later.
        self._issues: list[tuple[float, int, LabelIssue]] = []
        self._crops: list[tuple[float, int, IssueCrop]] = []
        self._seen = 0

    def add(self, labelled: Labelled, predicted: Predicted) -> None:
        """Look at one picture; its arrays are not kept."""
        name, image_HWC, label_HW = labelled
        for issue in find_issues(name, label_HW, predicted, class_count=self._class_count):
            self._seen += 1
            place = (issue.weight, -self._seen)
            _keep(self._issues, (*place, issue), self._kept)
            if len(self._crops) < self._shown or place > self._crops[0][:2]:
                crop = _crop_issue(issue, image_HWC, label_HW, predicted.mask_HW)
                _keep(self._crops, (*place, crop), self._shown)

    def issues(self) -> tuple[LabelIssue, ...]:
        """Most suspicious first."""
        return tuple(issue for _, _, issue in sorted(self._issues, key=lambda entry: entry[:2], reverse=True))

    def crops(self) -> tuple[IssueCrop, ...]:
        """Of the first issues, in their order."""
        return tuple(crop for _, _, crop in sorted(self._crops, key=lambda entry: entry[:2], reverse=True))


def find_issues(
    name: str, label_HW: NDArray[np.uint8], predicted: Predicted, *, class_count: int
) -> Generator[LabelIssue]:
    """Give the regions of one picture where the model is sure of another class than the label's.

    Args:
        name: of the picture.
        label_HW: class ids, 255 where void.
        predicted: of the picture's size, before any threshold.
        class_count: K.
    """
    disputed_HW = _find_disputed(label_HW, predicted)
    pair_HW = label_HW.astype(np.int32) * class_count + predicted.mask_HW
    for pair in np.unique(pair_HW[disputed_HW]).tolist():
        region_HW = (disputed_HW & (pair_HW == pair)).view(np.uint8)
        yield from _split_regions(name, region_HW, predicted.confidence_HW, *divmod(pair, class_count))


def write_issues(issues: tuple[LabelIssue, ...], class_map: ClassMap) -> str:
    """Issues as CSV with a head, one a line, boxes in pixels of the picture."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rank, issue in enumerate(issues, start=1):
        classes = class_map.names[issue.labelled], class_map.names[issue.predicted]
        figures = issue.area_px, f"{issue.mean_confidence:.4f}", f"{issue.weight:.6f}"
        writer.writerow((rank, _defuse(issue.picture), *issue.box_xywh_px, *map(_defuse, classes), *figures))
    return file.getvalue()


def _find_disputed(label_HW: NDArray[np.uint8], predicted: Predicted) -> NDArray[np.bool_]:
    disputed_HW = (label_HW != predicted.mask_HW) & (label_HW != VOID_ID) & (predicted.confidence_HW >= SURE)
    if not disputed_HW.any():
        return disputed_HW
    reach_px = max(1, round(BAND_SHARE * float(np.hypot(*label_HW.shape))))
    window = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    band_HW = cv2.dilate(label_HW, window) != cv2.erode(label_HW, window)
    return disputed_HW & ~np.asarray(band_HW)


def _split_regions(
    name: str, region_HW: NDArray[np.uint8], confidence_HW: NDArray[np.float32], labelled: int, predicted: int
) -> Generator[LabelIssue]:
    count, number_HW, stats, _ = cv2.connectedComponentsWithStats(region_HW, connectivity=8)
    pixels = region_HW.size
    for number in range(1, count):
        x, y, width, height, area_px = (int(value) for value in stats[number])
        if area_px < LEAST_SHARE * pixels:
            continue
        box = slice(y, y + height), slice(x, x + width)
        total = float(confidence_HW[box][number_HW[box] == number].sum(dtype=np.float64))
        yield LabelIssue(name, (x, y, width, height), labelled, predicted, area_px, total / area_px, total / pixels)


def _crop_issue(
    issue: LabelIssue, image_HWC: NDArray[np.uint8], label_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8]
) -> IssueCrop:
    x, y, width, height = issue.box_xywh_px
    side = max(LEAST_CROP_PX, round(max(width, height) * (1 + 2 * CROP_MARGIN)))
    top, left = max(0, y + (height - side) // 2), max(0, x + (width - side) // 2)
    area = slice(top, top + side), slice(left, left + side)
    shrink = min(1.0, CROP_SIDE_PX / max(label_HW[area].shape))
    return IssueCrop(
        issue,
        (round((x - left) * shrink), round((y - top) * shrink), round(width * shrink), round(height * shrink)),
        _shrink(image_HWC[area], shrink, cv2.INTER_AREA),
        _shrink(label_HW[area], shrink, cv2.INTER_NEAREST),
        _shrink(predicted_HW[area], shrink, cv2.INTER_NEAREST),
    )


def _shrink(pixels: NDArray[np.uint8], scale: float, interpolation: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    size_xy_px = max(1, round(width * scale)), max(1, round(height * scale))
    return np.array(cv2.resize(pixels, size_xy_px, interpolation=interpolation), np.uint8)


def _keep(heap: list[tuple[float, int, Kept]], entry: tuple[float, int, Kept], most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, entry)
    elif most:
        heapq.heappushpop(heap, entry)


def _defuse(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text
