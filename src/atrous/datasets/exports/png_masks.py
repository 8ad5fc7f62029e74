"""Class-id PNG masks in Roboflow's layout: a mask beside each picture, and a csv of class names in each split.

Says all that a label holds. Values are class ids; void is 255 and named in the csv only where it occurs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from atrous.core.class_map import VOID_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.labelled_file import NamedPicture
    from atrous.datasets.sinks import Sink
    from atrous.datasets.splits import Split

DESCRIPTION = "train/, valid/ and test/ with NAME_mask.png beside each picture and _classes.csv (Pixel Value, Class)"
TABLE = "_classes.csv"
HEADER = "Pixel Value, Class"
VOID = "void"


def draw(mask_HW: NDArray[np.uint8]) -> bytes:
    """An 8-bit grey PNG."""
    return cv2.imencode(".png", mask_HW)[1].tobytes()


class PngMasksWriter:
    """Writes pictures and masks as they come, the csv files at the end."""

    def __init__(self, sink: Sink, class_map: ClassMap) -> None:
        self._sink = sink
        self._class_map = class_map
        self._splits: set[Split] = set()
        self._has_void = False

    def add(self, picture: NamedPicture, label: bytes) -> None:
        """Write a picture and its mask."""
        self._splits.add(picture.split)
        self._has_void |= picture.void_px > 0
        self._sink.write(f"{picture.split}/{picture.file_name}", picture.data)
        self._sink.write(f"{picture.split}/{picture.stem}_mask.png", label)

    def finish(self) -> Mapping[str, int]:
        """Write the same csv to each split that has pictures."""
        rows = [(class_id, name) for class_id, name in enumerate(self._class_map.names)]
        rows += [(VOID_ID, VOID)] if self._has_void else []
        lines = [HEADER, *(f"{value}, {_quote(name)}" for value, name in rows)]
        for split in sorted(self._splits):
            self._sink.write(f"{split}/{TABLE}", "\n".join(lines).encode())
        return {}


def _quote(name: str) -> str:
    if "," not in name and '"' not in name:
        return name
    return '"{}"'.format(name.replace('"', '""'))
