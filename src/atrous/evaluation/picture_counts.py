"""What each picture adds to the scores of its dataset: three numbers a class, however many classes are mixed up.

Axes: P pictures, K classes (labels first, predictions second in KK).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PictureCounts:
    """Pixels by picture and class; sums over pictures are what scores are made of.

    Attributes:
        found_PK: labelled and predicted as the class.
        label_PK: labelled as the class.
        predicted_PK: predicted as the class where the label is not void.
    """

    found_PK: NDArray[np.int64]
    label_PK: NDArray[np.int64]
    predicted_PK: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label_PK)

    @property
    def shown_K(self) -> NDArray[np.int64]:
        """Pictures in which each class has labelled pixels."""
        return (self.label_PK > 0).sum(axis=0)


class PictureCounter:
    """Keeps 3 K numbers of each picture while the pictures stream by."""

    def __init__(self, class_count: int) -> None:
        self._class_count = class_count
        self._rows: list[NDArray[np.int64]] = []

    def add(self, counts_KK: NDArray[np.int64]) -> None:
        """Take the confusion matrix of the next picture."""
        self._rows.append(np.stack([counts_KK.diagonal(), counts_KK.sum(axis=1), counts_KK.sum(axis=0)]))

    def finish(self) -> PictureCounts:
        """All pictures so far, in the order they came."""
        counts_P3K = np.array(self._rows, np.int64).reshape(-1, 3, self._class_count)
        return PictureCounts(counts_P3K[:, 0], counts_P3K[:, 1], counts_P3K[:, 2])
