"""How well predictions follow the boundaries of labels, where most people look first.

A boundary is where neighbouring pixels, side by side, are of different classes. Where one of them is void in the label
nobody knows the boundary, so there is none, and predicted ones nearby are not judged.

Axes: K classes, F figures (boundary pixels labelled, of these found, predicted, of these right), H W picture.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.scores import compute_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap

# Of the picture's diagonal, as Csurka and others use it (What is a good evaluation measure for semantic segmentation?,
# 2013): 4 pixels for 480x360, 17 for 1920x1080.
DISTANCE_SHARE = 0.0075
BOUNDARY_RULE = (
    "Near a boundary means at most 0.75 % of the picture's diagonal away, at least one pixel. The IoU near boundaries "
    "is that of all pixels as near as that to a boundary of the label. Boundary F1 is the harmonic mean of precision "
    "(boundary pixels of predictions that have one of the label's same class near) and recall (the other way round), "
    "over all pictures. Both are as served; void is left out, and so are predicted boundaries near void."
)
FIGURES = 4
NO_EDGE = np.uint8(VOID_ID)


@dataclass(frozen=True, slots=True)
class ClassBoundaries:
    """One class at its boundaries; ratios are 0 to 1, or None where there is nothing to divide by.

    Attributes:
        iou: of pixels near a boundary of the label, of any class.
        precision: boundary pixels of the prediction that lie near a boundary of the label.
        recall: boundary pixels of the label that lie near one of the prediction.
        f1: harmonic mean of the two.
        label_pixels: boundary pixels of the label.
        predicted_pixels: boundary pixels of the prediction, those near void left out.
    """

    name: str
    iou: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    label_pixels: int
    predicted_pixels: int


@dataclass(frozen=True, slots=True)
class BoundaryScores:
    """Scores at boundaries, as served.

    Attributes:
        mean_iou: mean over the classes that have pixels near a boundary.
        mean_f1: mean over the classes that have a boundary in labels or predictions.
        classes: in order of ids.
    """

    mean_iou: float | None
    mean_f1: float | None
    classes: tuple[ClassBoundaries, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule."""
        return {
            "rule": BOUNDARY_RULE,
            "distance_share": DISTANCE_SHARE,
            "mean_iou": self.mean_iou,
            "mean_f1": self.mean_f1,
            "classes": list(map(asdict, self.classes)),
        }


@dataclass(slots=True, eq=False)
class BoundaryCounts:
    """What was counted at boundaries; counts of pictures of the same classes add up.

    Attributes:
        near_KK: confusion matrix of the pixels near a boundary of the label.
        counts_FK: boundary pixels.
    """

    near_KK: NDArray[np.int64]
    counts_FK: NDArray[np.int64]

    def add(self, other: BoundaryCounts) -> None:
        """Take in the counts of other pictures."""
        self.near_KK += other.near_KK
        self.counts_FK += other.counts_FK


def no_boundaries(class_count: int) -> BoundaryCounts:
    """What counting begins with."""
    return BoundaryCounts(np.zeros((class_count, class_count), np.int64), np.zeros((FIGURES, class_count), np.int64))


def find_distance(height: int, width: int) -> int:
    """How far is near in a picture of this size, in pixels; at least 1."""
    return max(1, math.floor(DISTANCE_SHARE * math.hypot(height, width)))


def count_boundaries(
    label_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8], *, class_count: int
) -> BoundaryCounts:
    """Count one picture at its boundaries.

    Args:
        label_HW: class ids, 255 where void.
        predicted_HW: class ids.
        class_count: K.
    """
    distance_px = find_distance(*label_HW.shape)
    is_void_HW = label_HW == VOID_ID
    on_label_HW = _find_edges(label_HW, is_void_HW)
    near_HW = np.where(_spread(on_label_HW, distance_px - 1), label_HW, np.uint8(VOID_ID))
    label_edges_HW = np.where(on_label_HW, label_HW, NO_EDGE)
    edges_HW = np.where(_find_edges(predicted_HW, None), predicted_HW, NO_EDGE)
    judged_HW = np.where(_spread(is_void_HW, distance_px), NO_EDGE, edges_HW)
    found_HW = _keep_matched(label_edges_HW, edges_HW, distance_px)
    right_HW = _keep_matched(judged_HW, label_edges_HW, distance_px)
    counts_FK = np.stack([
        np.bincount(classes_HW.ravel(), minlength=class_count)[:class_count]
        for classes_HW in (label_edges_HW, found_HW, judged_HW, right_HW)
    ])  # fmt: skip
    return BoundaryCounts(count_pixels(near_HW, predicted_HW, class_count=class_count), counts_FK)


def score_boundaries(counts: BoundaryCounts, class_map: ClassMap) -> BoundaryScores:
    """The scores of what was counted."""
    near = compute_scores(counts.near_KK, class_map)
    classes = tuple(
        _score_class(name, of_class.iou, counts.counts_FK[:, class_id])
        for class_id, (name, of_class) in enumerate(zip(class_map.names, near.classes, strict=True))
    )
    known = [of_class.f1 for of_class in classes if of_class.f1 is not None]
    return BoundaryScores(near.mean_iou, sum(known) / len(known) if known else None, classes)


def _score_class(name: str, iou: float | None, counts_F: NDArray[np.int64]) -> ClassBoundaries:
    labelled, found, predicted, right = (int(count) for count in counts_F)
    precision = right / predicted if predicted else None
    recall = found / labelled if labelled else None
    f1 = None if precision is None and recall is None else _harmonic_mean(precision or 0, recall or 0)
    return ClassBoundaries(name, iou, precision, recall, f1, labelled, predicted)


def _harmonic_mean(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _find_edges(mask_HW: NDArray[np.uint8], is_void_HW: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Pixels with a neighbour of another class above, below or beside them, neither of them void."""
    on_edge_HW = np.zeros(mask_HW.shape, np.bool_)
    for before, after in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        differs = mask_HW[before] != mask_HW[after]
        if is_void_HW is not None:
            differs &= ~(is_void_HW[before] | is_void_HW[after])
        on_edge_HW[before] |= differs
        on_edge_HW[after] |= differs
    return on_edge_HW


def _spread(is_set_HW: NDArray[np.bool_], distance_px: int) -> NDArray[np.bool_]:
    """Pixels at most so far from one that is set, as the crow flies."""
    if not is_set_HW.any():
        return is_set_HW
    away_HW = cv2.distanceTransform((~is_set_HW).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return away_HW <= distance_px


def _keep_matched(edges_HW: NDArray[np.uint8], others_HW: NDArray[np.uint8], distance_px: int) -> NDArray[np.uint8]:
    """Edges of which the other mask has one of the same class near, `NO_EDGE` elsewhere.

    Nearest places are looked at first, and edges that were matched no more, which is far quicker than measuring
    distances class by class.
    """
    others_N = np.pad(others_HW, distance_px, constant_values=NO_EDGE).ravel()
    stride = others_HW.shape[1] + 2 * distance_px
    kept_HW = edges_HW.copy()
    rows_N, columns_N = np.nonzero(edges_HW != NO_EDGE)
    places_N, classes_N = (rows_N + distance_px) * stride + columns_N + distance_px, edges_HW[rows_N, columns_N]
    for down, across in _list_offsets(distance_px):
        is_left_N = others_N[places_N + (down * stride + across)] != classes_N
        places_N, classes_N = places_N[is_left_N], classes_N[is_left_N]
    rows_N, columns_N = np.divmod(places_N, stride)
    kept_HW[rows_N - distance_px, columns_N - distance_px] = NO_EDGE
    return kept_HW


@lru_cache
def _list_offsets(distance_px: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns of all pixels that are near, nearest first."""
    side = range(-distance_px, distance_px + 1)
    squares = sorted((down**2 + across**2, down, across) for down in side for across in side)
    return tuple((down, across) for square, down, across in squares if square <= distance_px**2)
