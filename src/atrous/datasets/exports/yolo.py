"""YOLO segmentation: a text file beside each picture, a line with a class and a polygon for each connected region.

The polygon runs along the edges of its pixels, in shares of the picture's width and height with 7 digits, which is
within 0.01 pixels for sides of up to 100,000 pixels. A hole is joined to the outline by a cut without width, walked
in both directions. Rasterised by pycocotools at the picture's size, or by any program that takes a pixel when its
centre is inside by the even-odd rule, the lines give the very pixels, holes too, in whatever order they are painted.

Limits: YOLO cannot say void, which becomes background and is counted. Background has no number of its own: class 0
is our id 1, and so on. Programs that also count the pixels under a polygon's line as inside, such as OpenCV's
fillPoly, make each region a pixel wider on the right and below, and its holes a pixel narrower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import yaml

from atrous.core.class_map import VOID_ID
from atrous.datasets.contours import cut_open, trace_regions
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.labelled_file import NamedPicture
    from atrous.datasets.sinks import Sink

DESCRIPTION = "data.yaml, and train/, valid/ and test/ with images/ and labels/NAME.txt of polygons"
SPLIT_KEYS = {Split.TRAIN: "train", Split.VALID: "val", Split.TEST: "test"}
# Roboflow's clients put the folder of the download before the path, and expect all splits.
V5_FOLDERS = {"train": "../train/images", "val": "../valid/images", "test": "../test/images"}
V5_DESCRIPTION = "as yolo, with a data.yaml as Roboflow's clients for YOLOv5 rewrite it: all splits, names as a list"
DIGITS = 7
VOID_LOST = "pixels of void, which YOLO cannot say and which became background"


def draw(mask_HW: NDArray[np.uint8]) -> bytes:
    """The lines of a picture; none if it shows no class."""
    height, width = mask_HW.shape
    lines: list[str] = []
    for region in trace_regions(np.where(mask_HW == VOID_ID, np.uint8(0), mask_HW)):
        shares = (cut_open(region) / (width, height)).ravel().tolist()
        lines.append(" ".join([str(region.class_id - 1), *(f"{share:.{DIGITS}f}" for share in shares)]) + "\n")
    return "".join(lines).encode()


class YoloWriter:
    """Writes pictures and labels as they come, data.yaml at the end."""

    def __init__(self, sink: Sink, class_map: ClassMap) -> None:
        self._sink = sink
        self._class_map = class_map
        self._splits: set[Split] = set()
        self._void_px = 0

    def add(self, picture: NamedPicture, label: bytes) -> None:
        """Write a picture and its lines, also if there are none."""
        self._splits.add(picture.split)
        self._void_px += picture.void_px
        self._sink.write(f"{picture.split}/images/{picture.file_name}", picture.data)
        self._sink.write(f"{picture.split}/labels/{picture.stem}.txt", label)

    def finish(self) -> Mapping[str, int]:
        """Write data.yaml, which names the splits that have pictures."""
        content = self._list_folders() | {"nc": len(self._class_map) - 1, "names": self._list_names()}
        self._sink.write("data.yaml", yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode())
        return {VOID_LOST: self._void_px} if self._void_px else {}

    def _list_folders(self) -> dict[str, str]:
        return {key: f"{split}/images" for split, key in SPLIT_KEYS.items() if split in self._splits}

    def _list_names(self) -> object:
        return dict(enumerate(self._class_map.names[1:]))


class YoloV5Writer(YoloWriter):
    """The same files, but for data.yaml."""

    def _list_folders(self) -> dict[str, str]:
        return V5_FOLDERS

    def _list_names(self) -> object:
        return list(self._class_map.names[1:])
