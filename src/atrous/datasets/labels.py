"""One picture and its label: checked against each other and brought to our ids."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atrous.bundle.picture import decode_picture
from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidImageError, TooLargeError
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import UNDECLARED_VOID_VALUE
from atrous.datasets.findings import Finding, find_unreadable
from atrous.datasets.pixel_counts import count_values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.datasets.class_mapping import ClassMapping
    from atrous.datasets.source import SourceItem

SOURCE_VALUES = 1 << 16
JPEG_SIGNATURE = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """A picture's file and its label in our ids.

    Attributes:
        image: the file's bytes, untouched.
        mask_HW: our class ids, of the picture's size after EXIF rotation.
        counts: pixels by our id, 256 of them, void included.
        undeclared_void_px: pixels of value 255 that the source's class names do not mention.
        overpainted_px: pixels where outlines of different classes overlapped.
        ignored_outlines: outlines without area.
    """

    image: bytes
    mask_HW: NDArray[np.uint8]
    counts: NDArray[np.int64]
    undeclared_void_px: int
    overpainted_px: int
    ignored_outlines: int

    @property
    def size(self) -> Size:
        """Of picture and mask alike."""
        return Size(height=self.mask_HW.shape[0], width=self.mask_HW.shape[1])


def load_labelled_picture(item: SourceItem, mapping: ClassMapping) -> LabelledPicture | Finding:
    """Load and check one pair, or say why it cannot be used."""
    image = _read_picture(item.image_path)
    if isinstance(image, Finding):
        return image
    data, size = image
    label = item.label.load(size)
    if isinstance(label, Finding):
        return label
    values_HW = label.values_HW
    is_declared = np.zeros(SOURCE_VALUES, np.bool_)
    is_declared[[row.source_value for row in mapping.rows]] = True
    has_undeclared_void = not is_declared[UNDECLARED_VOID_VALUE]
    is_declared[UNDECLARED_VOID_VALUE] = True
    value_counts = count_values(values_HW, SOURCE_VALUES)
    if value_counts[~is_declared].any():
        return _describe_undeclared(item.label.path, values_HW, is_declared)
    mask_HW = _ids_by_value(mapping)[values_HW]
    return LabelledPicture(
        image=data,
        mask_HW=mask_HW,
        counts=count_values(mask_HW, 256),
        undeclared_void_px=int(value_counts[UNDECLARED_VOID_VALUE]) if has_undeclared_void else 0,
        overpainted_px=label.overpainted_px,
        ignored_outlines=label.ignored_outlines,
    )


def _ids_by_value(mapping: ClassMapping) -> NDArray[np.uint8]:
    ids = np.full(SOURCE_VALUES, VOID_ID, np.uint8)
    for row in mapping.rows:
        ids[row.source_value] = row.id
    return ids


def _read_picture(path: Path) -> tuple[bytes, Size] | Finding:
    try:
        data = path.read_bytes()
    except OSError as error:
        return find_unreadable(path, error)
    try:
        image_HWC = decode_picture(data)
    except TooLargeError as error:
        return Finding(path, str(error), "make it smaller, and its label with it")
    except InvalidImageError as error:
        return Finding(path, str(error), "copy or export it again")
    if _is_cut_jpeg(data):
        return Finding(path, "is cut off", "copy or export it again")
    return data, Size(height=image_HWC.shape[0], width=image_HWC.shape[1])


def _is_cut_jpeg(data: bytes) -> bool:
    # OpenCV 4 fills the missing part of a JPEG with grey and says nothing; Pillow, at an eighth of the size, tells.
    if not data.startswith(JPEG_SIGNATURE):
        return False
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", (1, 1))
            picture.load()
    except (OSError, ValueError, SyntaxError, EOFError):
        return True
    return False


def _describe_undeclared(path: Path, values_HW: NDArray[Any], is_declared: NDArray[np.bool_]) -> Finding:
    is_wrong = ~is_declared[values_HW]
    y, x = np.unravel_index(int(np.argmax(is_wrong)), is_wrong.shape)
    value = int(values_HW[y, x])
    return Finding(
        path,
        f"pixel x={x}, y={y} has value {value}, which no class name declares ({is_wrong.sum()} such pixels)",
        f"add {value} to the class names or correct the mask",
    )
