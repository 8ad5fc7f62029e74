"""How well objects are found by how large they are.

An object is a connected part of a label, of one class other than background; its size is its share of the picture, so
that pictures of different sizes can be counted together.

Axes: B bands of size, K classes, F figures (objects, objects found, pixels labelled, pixels found).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap

# COCO's bounds of 32 x 32 and 96 x 96 pixels, as shares of the 640 x 480 pixels that its pictures mostly have.
BANDS = (("small", 1 / 300), ("medium", 3 / 100), ("large", 1.0))
FOUND_SHARE = 0.5
SIZE_RULE = (
    "An object is a connected part of a label, corners included, of a class other than background. It is small up to "
    "1/300 of the picture, medium up to 3/100 and large above. Recall is the share of the labelled pixels of a band "
    "that are predicted as their class, as served; an object counts as found if half of its pixels are."
)
FIGURES = 4


@dataclass(frozen=True, slots=True)
class BandScore:
    """How well the objects of one band of size were found.

    Attributes:
        objects: connected parts of labels.
        found_objects: those of whose pixels at least half were predicted as their class.
        label_pixels: of all of them.
        recall: share of those pixels that were predicted as their class; None if there are none.
    """

    objects: int
    found_objects: int
    label_pixels: int
    recall: float | None


@dataclass(frozen=True, slots=True)
class ClassSizes:
    """One class by size of object, small to large."""

    name: str
    bands: tuple[BandScore, ...]


@dataclass(frozen=True, slots=True)
class SizeScores:
    """Scores by size of object, as served.

    Attributes:
        bands: of all classes together, small to large as in `BANDS`.
        classes: all but background, in order of ids.
    """

    bands: tuple[BandScore, ...]
    classes: tuple[ClassSizes, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule."""
        return {
            "rule": SIZE_RULE,
            "bands": [
                {"name": name, "up_to_share": share} | asdict(band)
                for (name, share), band in zip(BANDS, self.bands, strict=True)
            ],
            "classes": [asdict(of_class) | {"bands": list(map(asdict, of_class.bands))} for of_class in self.classes],
        }


def count_objects(
    label_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8], *, class_count: int
) -> NDArray[np.int64]:
    """Count the objects of one picture and what was found of them; void is left out.

    Args:
        label_HW: class ids, 255 where void.
        predicted_HW: class ids.
        class_count: K.

    Returns:
        counts_FBK; those of pictures add up.
    """
    counts_FBK = np.zeros((FIGURES, len(BANDS), class_count), np.int64)
    shown = np.flatnonzero(np.bincount(label_HW.ravel(), minlength=class_count)[:class_count])
    for class_id in shown[shown != BACKGROUND_ID].tolist():
        counts_FBK[:, :, class_id] = _count_class(label_HW == class_id, predicted_HW == class_id)
    return counts_FBK


def score_sizes(counts_FBK: NDArray[np.int64], class_map: ClassMap) -> SizeScores:
    """The scores of what `count_objects` counted."""
    return SizeScores(
        bands=_score_bands(counts_FBK.sum(axis=2)),
        classes=tuple(
            ClassSizes(name, _score_bands(counts_FBK[:, :, class_id]))
            for class_id, name in enumerate(class_map.names)
            if class_id != BACKGROUND_ID
        ),
    )


def _count_class(is_label_HW: NDArray[np.bool_], is_predicted_HW: NDArray[np.bool_]) -> NDArray[np.int64]:
    # Only where the class is: a small object in a large picture costs little then.
    left, top, width, height = cv2.boundingRect(is_label_HW.view(np.uint8))
    window = slice(top, top + height), slice(left, left + width)
    _, objects_hw = cv2.connectedComponents(is_label_HW[window].view(np.uint8), connectivity=8)
    label_N = np.bincount(objects_hw.ravel())[1:]
    found_N = np.bincount(objects_hw[is_predicted_HW[window]], minlength=len(label_N) + 1)[1:]
    band_N = np.searchsorted([share * is_label_HW.size for _, share in BANDS[:-1]], label_N)
    is_found_N = found_N >= FOUND_SHARE * label_N
    figures = np.ones_like(label_N), is_found_N, label_N, found_N
    # Weights are floats, which hold counts of pixels exactly.
    return np.array([np.bincount(band_N, figure_N, len(BANDS)) for figure_N in figures]).astype(np.int64)


def _score_bands(counts_FB: NDArray[np.int64]) -> tuple[BandScore, ...]:
    return tuple(
        BandScore(objects, found_objects, label_px, found_px / label_px if label_px else None)
        for objects, found_objects, label_px, found_px in counts_FB.T.tolist()
    )
