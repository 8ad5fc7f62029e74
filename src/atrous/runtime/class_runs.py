"""What an answer says of each class as a whole: area, box, confidence, and its pixels as runs.

Runs go down the columns of the picture, one column after the other, as COCO counts them.

Axes: H W pixels, R runs in that order, N counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from atrous.runtime.decode import Answer

LEVELS = 255
# COCO writes numbers in digits of 5 bits, lowest first, as letters from "0" on; one bit says that more digits follow.
DIGIT_BITS, DIGIT_MASK, SIGN_BIT, MORE_BIT, FIRST_LETTER = 5, 0x1F, 0x10, 0x20, 48
# Of a number of 32 bits and its sign.
MOST_DIGITS = 7
# Counts that are written at a time, since each takes room for all of its digits.
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class ClassRuns:
    """The pixels of one class.

    Attributes:
        class_id: never background.
        area_px: how many there are.
        box_xywh_px: the smallest box around them: left, top, width, height.
        confidence: their mean, 0 to 1.
        counts_N: run lengths, beginning with those of other classes; the first may be 0.
    """

    class_id: int
    area_px: int
    box_xywh_px: tuple[int, int, int, int]
    confidence: float
    counts_N: NDArray[np.int64]


def find_class_runs(answer: Answer) -> list[ClassRuns]:
    """Describe every class of an answer but background, in the order of ids."""
    mask_F, levels_F = _read_down(answer.mask_HW), _read_down(answer.levels_HW)
    begins_R = np.flatnonzero(np.concatenate(([True], mask_F[1:] != mask_F[:-1])))
    ends_R = np.append(begins_R[1:], mask_F.size)
    classes_R = mask_F[begins_R]
    sums_R = np.add.reduceat(levels_F, begins_R, dtype=np.int64)
    return [
        _describe(class_id, begins_R[is_of], ends_R[is_of], int(sums_R[is_of].sum()), answer.mask_HW.shape)
        for class_id in np.unique(classes_R).tolist()
        if class_id != BACKGROUND_ID
        for is_of in (classes_R == class_id,)
    ]


def write_counts(counts_N: NDArray[np.int64]) -> str:
    """Run lengths as COCO's compressed text."""
    changes_N = counts_N.copy()
    # From the fourth on, only the difference to the last but one is written.
    changes_N[3:] -= counts_N[1:-2]
    return b"".join(_write_chunk(chunk_N) for chunk_N in _cut(changes_N)).decode("ascii")


def _read_down(pixels_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    transposed: Any = cv2.transpose(pixels_HW)
    return transposed.reshape(-1)


def _describe(
    class_id: int, begins_R: NDArray[np.int64], ends_R: NDArray[np.int64], level_sum: int, shape_HW: tuple[int, ...]
) -> ClassRuns:
    height, width = shape_HW
    area_px = int((ends_R - begins_R).sum())
    edges = np.stack((begins_R, ends_R), axis=1).reshape(-1)
    rest = [] if edges[-1] == height * width else [height * width]
    return ClassRuns(
        class_id=class_id,
        area_px=area_px,
        box_xywh_px=_find_box(begins_R, ends_R, height),
        confidence=level_sum / area_px / LEVELS,
        counts_N=np.diff(np.concatenate(([0], edges, rest))).astype(np.int64),
    )


def _find_box(begins_R: NDArray[np.int64], ends_R: NDArray[np.int64], height: int) -> tuple[int, int, int, int]:
    left_R, top_R = np.divmod(begins_R, height)
    right_R, bottom_R = np.divmod(ends_R - 1, height)
    left, right = int(left_R[0]), int(right_R[-1])
    # A run that goes on in the next column touches both rims of the picture.
    is_whole = bool((left_R != right_R).any())
    top, bottom = (0, height - 1) if is_whole else (int(top_R.min()), int(bottom_R.max()))
    return left, top, right - left + 1, bottom - top + 1


def _cut(counts_N: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (counts_N[begin : begin + CHUNK] for begin in range(0, len(counts_N), CHUNK))


def _write_chunk(changes_N: NDArray[np.int64]) -> bytes:
    place_D = np.arange(MOST_DIGITS)
    digits_ND = changes_N[:, None] >> (DIGIT_BITS * place_D) & DIGIT_MASK
    rest_ND = changes_N[:, None] >> (DIGIT_BITS * (place_D + 1))
    # The last digit is the one whose sign bit stands for all that is left.
    is_last_ND = rest_ND == np.where(digits_ND & SIGN_BIT, -1, 0)
    last_N1 = is_last_ND.argmax(axis=1)[:, None]
    letters_ND = digits_ND + np.where(place_D < last_N1, MORE_BIT + FIRST_LETTER, FIRST_LETTER)
    return letters_ND[place_D <= last_N1].astype(np.uint8).tobytes()
