"""One picture and its label: checked against each other and brought to our ids."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from atrous.core.class_map import BACKGROUND_ID, VOID_ID
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import UNDECLARED_VOID_VALUE
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.picture_check import check_picture
from atrous.datasets.pixel_counts import count_values, keep_present

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from atrous.datasets.class_mapping import ClassMapping
    from atrous.datasets.source import LabelValues, PictureShape, SourceItem

SOURCE_VALUES = 1 << 16
UNDECLARED_VOID = f"pixels of value {UNDECLARED_VOID_VALUE}, which no class name declares and which are void"
UNDECLARED_TO_VOID = "pixels of values that no class name declares, which were made void"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """A picture's file and its label in our ids.

    Attributes:
        image: the file's bytes, untouched.
        mask_HW: our class ids, of the picture's size after EXIF rotation.
        counts: pixels by our id, 256 of them, void included.
        look: what near-duplicates share; see `looks.py`.
        remarks: phrases and their counts, as in LabelValues.
        fixed: remedies that changed the label.
        warnings: what should be looked at.
    """

    image: bytes
    mask_HW: NDArray[np.uint8]
    counts: NDArray[np.int64]
    look: bytes
    remarks: Mapping[str, int]
    fixed: Fixes
    warnings: tuple[Finding, ...]

    @property
    def class_pixels(self) -> dict[int, int]:
        """Our id -> pixels, void included, ids without pixels left out."""
        return keep_present(self.counts)

    @property
    def size(self) -> Size:
        """Of picture and mask alike."""
        return Size(height=self.mask_HW.shape[0], width=self.mask_HW.shape[1])


def load_labelled_picture(
    item: SourceItem, mapping: ClassMapping, fixes: Fixes = NO_FIXES
) -> LabelledPicture | Finding:
    """Load and check one pair, or say why it cannot be used."""
    picture = check_picture(item.image)
    if isinstance(picture, Finding):
        return picture
    label = item.label.load(picture.shape, fixes)
    if isinstance(label, Finding):
        return label
    ids = _find_ids(item, label, mapping, fixes)
    if isinstance(ids, Finding):
        return ids
    mask_HW, remarks = ids
    counts = count_values(mask_HW, 256)
    has_undeclared_fix = UNDECLARED_TO_VOID in remarks
    return LabelledPicture(
        image=picture.data,
        mask_HW=mask_HW,
        counts=counts,
        look=picture.look,
        remarks=remarks,
        fixed=label.fixed | ({Fix.UNDECLARED_TO_VOID} if has_undeclared_fix else NO_FIXES),
        warnings=(*picture.warnings, *_warn(item, picture.shape, label, counts)),
    )


def digest_source(item: SourceItem, image_sha256: str, mapping: ClassMapping, fixes: Fixes) -> str:
    """The sha256 of all that decides about a pair's mask; nothing is decoded.

    Raises:
        UnreadableFileError: if the label's file cannot be read.
    """
    rules = image_sha256, [[row.source_value, row.id] for row in mapping.rows], sorted(fixes)
    return hashlib.sha256(item.label.digest() + orjson.dumps(rules)).hexdigest()


def _find_ids(
    item: SourceItem, label: LabelValues, mapping: ClassMapping, fixes: Fixes
) -> tuple[NDArray[np.uint8], dict[str, int]] | Finding:
    """Give mask_HW and all remarks."""
    is_declared = np.zeros(SOURCE_VALUES, np.bool_)
    is_declared[[row.source_value for row in mapping.rows]] = True
    value_counts = count_values(label.values_HW, SOURCE_VALUES)
    remarks = dict(label.remarks)
    if not is_declared[UNDECLARED_VOID_VALUE] and value_counts[UNDECLARED_VOID_VALUE]:
        remarks[UNDECLARED_VOID] = int(value_counts[UNDECLARED_VOID_VALUE])
    is_declared[UNDECLARED_VOID_VALUE] = True
    undeclared_px = int(value_counts[~is_declared].sum())
    if undeclared_px and Fix.UNDECLARED_TO_VOID not in fixes:
        return _describe_undeclared(item.label.file.name, label.values_HW, is_declared)
    if undeclared_px:
        remarks[UNDECLARED_TO_VOID] = undeclared_px
    return _ids_by_value(mapping)[label.values_HW], remarks


def _ids_by_value(mapping: ClassMapping) -> NDArray[np.uint8]:
    ids = np.full(SOURCE_VALUES, VOID_ID, np.uint8)
    for row in mapping.rows:
        ids[row.source_value] = row.id
    return ids


def _describe_undeclared(file: str, values_HW: NDArray[Any], is_declared: NDArray[np.bool_]) -> Finding:
    is_wrong = ~is_declared[values_HW]
    y, x = (int(n) for n in np.unravel_index(int(np.argmax(is_wrong)), is_wrong.shape))
    value = int(values_HW[y, x])
    return Finding(
        Kind.UNDECLARED_VALUE,
        file,
        f"pixel x={x}, y={y} has value {value}, which no class name declares ({is_wrong.sum()} such pixels)",
        f"add {value} to the class names or correct the mask",
        fix=Fix.UNDECLARED_TO_VOID,
        pixel_xy=(x, y),
        value=str(value),
    )


def _warn(item: SourceItem, shape: PictureShape, label: LabelValues, counts: NDArray[np.int64]) -> list[Finding]:
    warnings: list[Finding] = []
    file = item.label.file.name
    if not counts[BACKGROUND_ID + 1 : VOID_ID].any():
        all_of = "void" if not counts[BACKGROUND_ID] else "background" if not counts[VOID_ID] else "background and void"
        warnings.append(
            Finding(Kind.EMPTY_LABEL, file, f"shows no class, only {all_of}", "check that its objects were not missed")
        )
    # A label of the unturned picture has the same size here, so nothing but eyes can tell.
    is_square = shape.size.height == shape.size.width
    if shape.orientation != 1 and Fix.TURN_LABELS not in label.fixed and (is_square or not shape.is_turned_sideways):
        reason = f"its picture is turned by its EXIF data (orientation {shape.orientation}), its label was not"
        remedy = "look whether they lie on each other"
        warnings.append(Finding(Kind.MAYBE_TURNED, file, reason, remedy, Fix.TURN_LABELS))
    return warnings
