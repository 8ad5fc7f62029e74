"""PASCAL VOC: pictures, palette masks in the colours of VOC, and a list of stems for each split.

Says all that a label holds. Values are class ids, void is 255. Class names lie in class_names.txt, where a line's
number, counted from 0, is the value, and with their colours in labelmap.txt as CVAT writes it. The latter has no way
to say a name with a colon or with `#` at its beginning; where a class has one, it is left out and that is counted.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atrous.core.class_map import VOID_ID
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.labelled_file import NamedPicture
    from atrous.datasets.sinks import Sink

DESCRIPTION = (
    "JPEGImages/, SegmentationClass/ with palette masks, ImageSets/Segmentation/{train,val,test}.txt, "
    "class_names.txt and labelmap.txt"
)
SPLIT_LISTS = {Split.TRAIN: "train", Split.VALID: "val", Split.TEST: "test"}
LABEL_MAP_HEADER = "# label:color_rgb:parts:actions"
VOID = "void"
UNSAYABLE_NAMES = "class names that labelmap.txt cannot say, because of which it was left out"
# A mask is long runs: more effort makes it hardly smaller.
PNG_EFFORT = 3


def make_palette() -> NDArray[np.uint8]:
    """VOC's colours, RGB by value, [256, 3].

    Bits 0, 3 and 6 of a value are the highest bits of red, 1, 4 and 7 those of green, 2 and 5 those of blue.

    Source: labelcolormap in VOCdevkit's VOClabelcolormap.m.
    """
    values = np.arange(256, dtype=np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            palette[:, channel] |= ((values >> channel) & 1) << (7 - level)
        values = values >> 3
    return palette


PALETTE = make_palette()


def draw(mask_HW: NDArray[np.uint8]) -> bytes:
    """An 8-bit palette PNG."""
    picture = Image.fromarray(mask_HW)
    picture.putpalette(PALETTE.tobytes())
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=PNG_EFFORT)
    return data.getvalue()


class VocWriter:
    """Writes pictures and masks as they come, the lists at the end; keeps one stem a picture in memory."""

    def __init__(self, sink: Sink, class_map: ClassMap) -> None:
        self._sink = sink
        self._class_map = class_map
        self._stems: dict[Split, list[str]] = {split: [] for split in Split}
        self._has_void = False

    def add(self, picture: NamedPicture, label: bytes) -> None:
        """Write a picture and its mask."""
        self._stems[picture.split].append(picture.stem)
        self._has_void |= picture.void_px > 0
        self._sink.write(f"JPEGImages/{picture.file_name}", picture.data)
        self._sink.write(f"SegmentationClass/{picture.stem}.png", label)

    def finish(self) -> Mapping[str, int]:
        """Write the lists of splits and of classes."""
        for split, stems in self._stems.items():
            self._write_lines(f"ImageSets/Segmentation/{SPLIT_LISTS[split]}.txt", stems)
        self._write_lines("class_names.txt", self._class_map.names)
        unsayable = sum(":" in name or name.startswith("#") for name in self._class_map.names)
        if not unsayable:
            self._write_label_map()
        return {UNSAYABLE_NAMES: unsayable} if unsayable else {}

    def _write_label_map(self) -> None:
        rows = list(enumerate(self._class_map.names)) + ([(VOID_ID, VOID)] if self._has_void else [])
        colours = [",".join(map(str, PALETTE[value].tolist())) for value, _ in rows]
        lines = [f"{name}:{colour}::" for (_, name), colour in zip(rows, colours, strict=True)]
        self._write_lines("labelmap.txt", [LABEL_MAP_HEADER, *lines])

    def _write_lines(self, name: str, lines: list[str] | tuple[str, ...]) -> None:
        self._sink.write(name, "".join(f"{line}\n" for line in lines).encode())
