"""What to do next about a model, read from where it goes wrong.

Axes: K classes (labels first, predictions second), T thresholds in percent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap

GOOD_RECALL = 0.9
# A mix-up of fewer pixels than this share of a class is the blur of its outlines.
NOTABLE_SHARE = 0.01
SURE_PERCENT = 90
LOW_PRECISION = 0.65
RARE_SHARE = 0.25
LEAST_TEST_PICTURES = 50


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One thing to do.

    Attributes:
        type: missed_detection, wrong_class, class_imbalance, overconfident_fp or dataset_health.
        message: what is wrong, in numbers, and what to do about it.
        classes: names of the classes it is about.
        values: the numbers of the message.
    """

    type: str
    message: str
    classes: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"classes": list(self.classes)}


def recommend(
    counts_KKT: NDArray[np.int64],
    shown_K: NDArray[np.int64],
    pictures: Mapping[str, int],
    split: str,
    *,
    percent: int,
    class_map: ClassMap,
) -> list[Recommendation]:
    """What to do about a model, the gravest first.

    Args:
        counts_KKT: pixels of one split by label, prediction and threshold.
        shown_K: pictures of all scored splits that show each class.
        pictures: how many were scored, by split.
        split: where the counts are from.
        percent: the threshold to look at.
        class_map: names of the K classes.
    """
    counts_KK = counts_KKT[:, :, percent]
    found = [
        _check_test(pictures.get("test", 0)),
        _check_missed(counts_KK, split, class_map),
        _check_mixed_up(counts_KK, split, class_map),
        *_check_sure(counts_KKT[:, :, SURE_PERCENT], split, class_map),
        *_check_rare(shown_K, class_map),
    ]
    return [one for one in found if one]


def _check_test(pictures: int) -> Recommendation | None:
    if pictures >= LEAST_TEST_PICTURES:
        return None
    return Recommendation(
        "dataset_health",
        f"the version has {pictures} labelled test pictures, and scores of fewer than {LEAST_TEST_PICTURES} change "
        "with every picture; make a version with more of them before you compare models",
        values={"testPictures": pictures, "leastTestPictures": LEAST_TEST_PICTURES},
    )


def _check_missed(counts_KK: NDArray[np.int64], split: str, class_map: ClassMap) -> Recommendation | None:
    labelled_K, found_K = counts_KK.sum(axis=1), counts_KK.diagonal()
    missed_K = np.where(found_K < GOOD_RECALL * labelled_K, labelled_K - found_K, 0)
    missed_K[BACKGROUND_ID] = 0
    worst = int(missed_K.argmax())
    if not missed_K[worst]:
        return None
    name, missed_px, labelled_px = class_map.names[worst], int(missed_K[worst]), int(labelled_K[worst])
    background_px = int(counts_KK[worst, BACKGROUND_ID])
    return Recommendation(
        "missed_detection",
        f"{name}: the model misses {missed_px:,} of its {labelled_px:,} pixels in {split} "
        f"({missed_px / labelled_px:.1%}), {background_px:,} of them as background; look at the worst pictures and add "
        "labelled ones like them",
        (name,),
        {"missedPixels": missed_px, "labelPixels": labelled_px, "asBackgroundPixels": background_px},
    )


def _check_mixed_up(counts_KK: NDArray[np.int64], split: str, class_map: ClassMap) -> Recommendation | None:
    mixed_KK = counts_KK.copy()
    np.fill_diagonal(mixed_KK, 0)
    mixed_KK[BACKGROUND_ID] = mixed_KK[:, BACKGROUND_ID] = 0
    label, predicted = (int(i) for i in np.unravel_index(mixed_KK.argmax(), mixed_KK.shape))
    mixed_px, labelled_px = int(mixed_KK[label, predicted]), int(counts_KK[label].sum())
    if mixed_px <= NOTABLE_SHARE * labelled_px:
        return None
    back_px = int(mixed_KK[predicted, label])
    names = class_map.names[label], class_map.names[predicted]
    return Recommendation(
        "wrong_class",
        f"{names[0]} is taken for {names[1]} on {mixed_px:,} of its {labelled_px:,} pixels in {split} "
        f"({mixed_px / labelled_px:.1%}), the other way round on {back_px:,}; check that labels tell the two apart, or "
        "make one class of them",
        names,
        {"mixedUpPixels": mixed_px, "labelPixels": labelled_px, "otherWayPixels": back_px},
    )


def _check_sure(counts_KK: NDArray[np.int64], split: str, class_map: ClassMap) -> list[Recommendation]:
    predicted_K, found_K = counts_KK.sum(axis=0), counts_KK.diagonal()
    is_wrong_K = found_K < LOW_PRECISION * predicted_K
    is_wrong_K[BACKGROUND_ID] = False
    return [
        Recommendation(
            "overconfident_fp",
            f"{name}: of {int(predicted_K[i]):,} pixels predicted in {split} with a confidence of {SURE_PERCENT} % and "
            f"more, {int(predicted_K[i] - found_K[i]):,} are labelled otherwise "
            f"({1 - found_K[i] / predicted_K[i]:.1%}); look for objects that nobody labelled, then add pictures "
            "without the class",
            (name,),
            {"surePixels": int(predicted_K[i]), "wrongPixels": int(predicted_K[i] - found_K[i])},
        )
        for i, name in enumerate(class_map.names)
        if is_wrong_K[i]
    ]


def _check_rare(shown_K: NDArray[np.int64], class_map: ClassMap) -> list[Recommendation]:
    middle = median(shown_K[BACKGROUND_ID + 1 :].tolist())
    return [
        Recommendation(
            "class_imbalance",
            f"{name}: {int(shown_K[i])} of the scored pictures show it, where half of the classes are in {middle:g} or "
            "more; add pictures that show it, as copies by augmentation do not help",
            (name,),
            {"pictures": int(shown_K[i]), "medianPictures": middle},
        )
        for i, name in enumerate(class_map.names)
        if i != BACKGROUND_ID and shown_K[i] < RARE_SHARE * middle
    ]
