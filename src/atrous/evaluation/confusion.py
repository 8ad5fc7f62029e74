"""Confusion matrices: rows are labels, columns are predictions, entries are pixels.

Matrices of the same classes add up: the sum over pictures is the matrix of the dataset.
Axes: K classes, L label ids 0 to 255, N pixels, H W picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import MAX_CLASSES, VOID_ID
from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Counting turns ids into 8 bytes a pixel; blocks keep a large picture from taking gigabytes.
BLOCK_PX = 1 << 18


def count_pixels(
    label_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8], *, class_count: int
) -> NDArray[np.int64]:
    """Count each pair of label and prediction; void labels are left out.

    About 3 ms for 1920x1080 on one core.

    Args:
        label_HW: class ids, 255 where void.
        predicted_HW: class ids, never void.
        class_count: K, 1 to 255.

    Returns:
        counts_KK of this picture.

    Raises:
        InvalidInputError: if the sizes differ, or an id is K or more.
    """
    check_pair(label_HW, predicted_HW, class_count)
    counts_LK = _count_pairs(label_HW.ravel(), predicted_HW.ravel(), class_count)
    unknown = class_count + np.flatnonzero(counts_LK[class_count:VOID_ID].any(axis=1))
    if unknown.size:
        raise _unknown_label(unknown[0], class_count)
    return counts_LK[:class_count].copy()


def check_pair(label_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8], class_count: int) -> None:
    """Do nothing if a label and a prediction can be compared.

    Raises:
        InvalidInputError: if there are no classes or too many, the sizes differ, or a predicted id is no class.
    """
    if not 1 <= class_count <= MAX_CLASSES:
        raise InvalidInputError(f"{class_count} classes; a confusion matrix needs 1 to {MAX_CLASSES}")
    if label_HW.shape != predicted_HW.shape:
        raise InvalidInputError(
            f"the label is {_size_text(label_HW)} but the prediction {_size_text(predicted_HW)}; "
            "both must have the picture's own size"
        )
    if predicted_HW.size and (highest := int(predicted_HW.max())) >= class_count:
        raise InvalidInputError(f"the prediction has class id {highest}, but there are {class_count} classes")


def check_known_labels(label_N: NDArray[np.uint8], class_count: int) -> None:
    """Do nothing if labels without void are all classes.

    Raises:
        InvalidInputError: naming the lowest id that is none.
    """
    if label_N.size and label_N.max() >= class_count:
        raise _unknown_label(label_N[label_N >= class_count].min(), class_count)


def _unknown_label(class_id: int, class_count: int) -> InvalidInputError:
    return InvalidInputError(
        f"the label has class id {class_id}, but there are {class_count} classes; fix the label or add the class"
    )


def _count_pairs(label_N: NDArray[np.uint8], predicted_N: NDArray[np.uint8], class_count: int) -> NDArray[np.int64]:
    counts_LK = np.zeros((VOID_ID + 1) * class_count, np.int64)
    for start in range(0, len(label_N), BLOCK_PX):
        block = slice(start, start + BLOCK_PX)
        # At most 255 * 255 + 254, which uint16 holds.
        pairs_N = label_N[block].astype(np.uint16) * np.uint16(class_count) + predicted_N[block]
        counts_LK += np.bincount(pairs_N, minlength=counts_LK.size)
    return counts_LK.reshape(VOID_ID + 1, class_count)


def _size_text(mask_HW: NDArray[np.uint8]) -> str:
    return "x".join(str(side_px) for side_px in reversed(mask_HW.shape))
