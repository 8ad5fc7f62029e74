"""A label stored as a matrix of class ids in a MATLAB file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson

from atrous.core.sizes import Size
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.label_size import check_label_size, fit_label
from atrous.datasets.masks.mat_variables import read_variables
from atrous.datasets.masks.value_shift import shift_values
from atrous.datasets.source import LabelValues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File
    from atrous.datasets.fixes import Fixes
    from atrous.datasets.masks.mat_variables import Value
    from atrous.datasets.source import PictureShape

# Eight matrices of doubles; SBD and PASCAL-Context need far less.
BYTES_PER_PIXEL = 64
OVERHEAD_BYTES = 16 << 20
MAX_BYTES = 1 << 30
SBD_CLASSES, SBD_INSTANCES = "GTcls", "GTinst"
BSDS_SEGMENTS = "groundTruth"
NAMES = "names"
KEEP_ONE = "save one matrix of class ids, of the size of the picture"


@dataclass(frozen=True, slots=True)
class MatFile:
    """A MATLAB file with one matrix of class ids, as it is or as SBD's `GTcls.Segmentation`.

    Attributes:
        names: the class names that the file itself must hold, where the dataset's classes come from such a file.
    """

    file: File
    names: tuple[str, ...] = ()

    def digest(self) -> bytes:
        """A hash of the file and of the names that it must hold."""
        return hashlib.sha256(hashlib.sha256(self.file.read()).digest() + orjson.dumps(self.names)).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """The values as stored, or why the file cannot be a label of this picture."""
        limit_bytes = min(OVERHEAD_BYTES + BYTES_PER_PIXEL * picture.size.pixels, MAX_BYTES)
        variables = read_variables(self.file, limit_bytes)
        if isinstance(variables, Finding):
            return variables
        if self.names and find_names(variables) != self.names:
            reason = "has other class names than the first file of its dataset"
            return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, "save all labels with one list of names")
        matrix_HW = self._find_matrix(variables, picture)
        if isinstance(matrix_HW, Finding):
            return matrix_HW
        if finding := check_label_size(self.file.name, Size(*matrix_HW.shape), picture, fixes):
            return finding
        values_HW = self._take_values(matrix_HW)
        if isinstance(values_HW, Finding):
            return values_HW
        shifted_HW, shift_fixed = shift_values(values_HW, fixes)
        fitted_HW, size_fixed = fit_label(shifted_HW, picture, fixes)
        return LabelValues(fitted_HW, fixed=shift_fixed | size_fixed)

    def _find_matrix(self, variables: Mapping[str, Value], picture: PictureShape) -> NDArray[Any] | Finding:
        """The one matrix that can be the label; it may still be of another size than the picture."""
        if (segmentation_HW := _find_sbd_classes(variables)) is not None:
            return segmentation_HW
        if not _find_matrices(variables) and (BSDS_SEGMENTS in variables or SBD_INSTANCES in variables):
            name = BSDS_SEGMENTS if BSDS_SEGMENTS in variables else SBD_INSTANCES
            reason = f"holds {name}, whose numbers tell regions or objects apart, not classes"
            return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, "give the files of class ids instead")
        matrices = _find_matrices(variables)
        fitting = [one for one in matrices if one.shape == (picture.size.height, picture.size.width)]
        candidates = fitting or matrices
        if len(candidates) > 1:
            candidates = [one for one in candidates if not _find_wrong(one, _as_values(one)).any()]
        if len(candidates) == 1:
            return candidates[0]
        reason = f"must hold one matrix of class ids, but holds {_describe(variables)}"
        return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, KEEP_ONE)

    def _take_values(self, matrix_HW: NDArray[Any]) -> NDArray[Any] | Finding:
        """The matrix as uint8 or uint16."""
        values_HW = _as_values(matrix_HW)
        is_wrong_HW = _find_wrong(matrix_HW, values_HW)
        y, x = (int(n) for n in np.unravel_index(int(np.argmax(is_wrong_HW)), is_wrong_HW.shape))
        if not is_wrong_HW[y, x]:
            return values_HW.astype(np.uint8) if values_HW.max() <= 255 else values_HW
        value = str(matrix_HW[y, x])
        reason = (
            f"pixel x={x}, y={y} has value {value}, which is no class id ({np.count_nonzero(is_wrong_HW)} such pixels)"
        )
        remedy = "save the matrix with whole numbers of 0 to 65535"
        return Finding(Kind.WRONG_KIND_OF_MASK, self.file.name, reason, remedy, pixel_xy=(x, y), value=value)


def find_names(variables: Mapping[str, Value]) -> tuple[str, ...]:
    """The class names of a file's own `names`, cells or the rows of a text; empty if it has none."""
    names = variables.get(NAMES)
    rows = names if isinstance(names, tuple) else [_read_row(cell) for cell in names] if isinstance(names, list) else []
    texts = tuple(row.strip() for row in rows)
    return texts if all(texts) else ()


def has_sbd_classes(variables: Mapping[str, Value]) -> bool:
    """Whether a file holds the class ids of the Semantic Boundaries Dataset."""
    return _find_sbd_classes(variables) is not None


def _find_sbd_classes(variables: Mapping[str, Value]) -> NDArray[Any] | None:
    match variables.get(SBD_CLASSES):
        case [{"Segmentation": segmentation}]:
            return _as_matrix(segmentation)
        case _:
            return None


def _read_row(cell: Any) -> str:
    match cell:
        case (str(row),):
            return row
        case _:
            return ""


def _as_matrix(value: Any) -> NDArray[Any] | None:
    array = cast("NDArray[Any]", value) if isinstance(value, np.ndarray) else None
    return array if array is not None and array.ndim == 2 and min(array.shape) > 1 else None


def _find_matrices(variables: Mapping[str, Value]) -> list[NDArray[Any]]:
    found = (_as_matrix(value) for value in variables.values())
    return [matrix for matrix in found if matrix is not None]


def _as_values(matrix_HW: NDArray[Any]) -> NDArray[np.uint16]:
    with np.errstate(invalid="ignore"):
        return matrix_HW.astype(np.uint16, order="C")


def _find_wrong(matrix_HW: NDArray[Any], values_HW: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which pixels the cast changed: fractions, negative and large numbers, and what is no number."""
    return np.asarray(matrix_HW != values_HW)


def _describe(variables: Mapping[str, Value]) -> str:
    """Names, sizes and kinds of at most ten variables."""
    seen = [f"{name[:40]} ({_describe_value(value)})" for name, value in list(variables.items())[:10]]
    return (", ".join(seen) + (" and more" if len(variables) > 10 else "")) or "no variable"


def _describe_value(value: Value) -> str:
    match value:
        case None:
            return "not read"
        case tuple():
            return "text"
        case list():
            return "struct" if value and isinstance(value[0], dict) else "cells"
        case _:
            return f"{'x'.join(map(str, value.shape))} {value.dtype.name}"
