"""What one pass over labelled pictures of a split gives, in a form that adds up and can be kept on disk.

Axes: K classes, T thresholds in percent, P pictures.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import BACKGROUND_ID
from atrous.core.errors import InvalidInputError
from atrous.evaluation.picture_counts import PictureCounts
from atrous.evaluation.sweep import PERCENTS, count_levels, mean_foreground, rate_classes, sweep_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from atrous.evaluation.predicted import Predicted

# A picture at a threshold, in pixels of all classes but background: those found, those predicted but labelled
# otherwise, those labelled but predicted otherwise (a mix-up of two classes is both); and the mean IoU, NaN if n/a.
FIGURES = np.dtype([("found", "<u4"), ("wrong", "<u4"), ("missed", "<u4"), ("mean_iou", "<f4")])
# A class other than background in a picture that labels or predicts it: pixels labelled, and at each threshold those
# found and those predicted. Most pictures have few of the classes, so rows take less than arrays of all of them.
CLASS_ROW = np.dtype([
    ("picture", "<u4"), ("class", "<u4"), ("label", "<u4"), ("found", "<u4", len(PERCENTS)),
    ("predicted", "<u4", len(PERCENTS)),
])  # fmt: skip
FOREGROUND = slice(BACKGROUND_ID + 1, None)


@dataclass(frozen=True, slots=True)
class Named:
    """A picture as people (`name`) and clients (`id`) know it."""

    name: str
    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Pictures of one split, counted.

    Attributes:
        levels_KKT: what `count_levels` gives, summed.
        shown_K: pictures in which each class has labelled pixels.
        pictures: in the order they came.
        figures_PT: each picture at each threshold, of dtype FIGURES.
        class_rows: each class of each picture, of dtype CLASS_ROW; pictures are numbered from 0.
        latency_ms_P: how long the model took for each picture.
    """

    levels_KKT: NDArray[np.int64]
    shown_K: NDArray[np.int64]
    pictures: tuple[Named, ...]
    figures_PT: NDArray[Any]
    class_rows: NDArray[Any]
    latency_ms_P: NDArray[np.float32]

    def count_pictures(self, percent: int) -> PictureCounts:
        """What each picture adds to the scores at a threshold; background, which these leave out, has no pixels."""
        counts_3PK = np.zeros((3, len(self.pictures), len(self.shown_K)), np.int64)
        places = self.class_rows["picture"], self.class_rows["class"]
        counts_3PK[0][places] = self.class_rows["found"][:, percent]
        counts_3PK[1][places] = self.class_rows["label"]
        counts_3PK[2][places] = self.class_rows["predicted"][:, percent]
        return PictureCounts(*counts_3PK)


def tally_picture(
    picture: Named, label_HW: NDArray[np.uint8], predicted: Predicted, *, class_count: int, latency_ms: float
) -> Tally:
    """Count one picture.

    Raises:
        InvalidInputError: with the picture's name, if label or prediction does not fit it or the classes.
    """
    try:
        levels_KKT = count_levels(label_HW, predicted, class_count=class_count)
    except InvalidInputError as error:
        raise InvalidInputError(f"{picture.name}: {error}") from error
    return Tally(
        levels_KKT=levels_KKT,
        shown_K=(levels_KKT.sum(axis=(1, 2)) > 0).astype(np.int64),
        pictures=(picture,),
        figures_PT=_measure_picture(levels_KKT)[None],
        class_rows=_list_classes(levels_KKT),
        latency_ms_P=np.array([latency_ms], np.float32),
    )


def add_tallies(tallies: Iterable[Tally], class_count: int) -> Tally:
    """The tally of all their pictures; of each, only what grows with the pictures stays in memory meanwhile."""
    levels_KKT = np.zeros((class_count, class_count, len(PERCENTS)), np.int64)
    shown_K = np.zeros(class_count, np.int64)
    pictures: list[Named] = []
    figures: list[NDArray[Any]] = [np.zeros((0, len(PERCENTS)), FIGURES)]
    class_rows: list[NDArray[Any]] = [np.zeros(0, CLASS_ROW)]
    latencies: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    for tally in tallies:
        rows = tally.class_rows.copy()
        rows["picture"] += len(pictures)
        class_rows.append(rows)
        levels_KKT += tally.levels_KKT
        shown_K += tally.shown_K
        pictures += tally.pictures
        figures.append(tally.figures_PT)
        latencies.append(tally.latency_ms_P)
    return Tally(
        levels_KKT,
        shown_K,
        tuple(pictures),
        np.concatenate(figures),
        np.concatenate(class_rows),
        np.concatenate(latencies),
    )


def write_tally(path: Path, tally: Tally) -> None:
    """Write a tally to a file, all at once or not at all."""
    names = json.dumps([[picture.name, picture.id] for picture in tally.pictures])
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez_compressed(
            file,
            levels_KKT=tally.levels_KKT,
            shown_K=tally.shown_K,
            pictures=np.frombuffer(names.encode(), np.uint8),
            figures_PT=tally.figures_PT,
            class_rows=tally.class_rows,
            latency_ms_P=tally.latency_ms_P,
        )
    partial.replace(path)


def read_tally(path: Path) -> Tally | None:
    """Read what `write_tally` wrote; None if there is nothing of use."""
    try:
        with np.load(path) as arrays:
            names = json.loads(arrays["pictures"].tobytes())
            return Tally(
                levels_KKT=arrays["levels_KKT"],
                shown_K=arrays["shown_K"],
                pictures=tuple(Named(*named) for named in names),
                figures_PT=arrays["figures_PT"],
                class_rows=arrays["class_rows"],
                latency_ms_P=arrays["latency_ms_P"],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        # A power cut can leave a file of the right name that is cut off.
        return None


def _list_classes(levels_KKT: NDArray[np.int64]) -> NDArray[Any]:
    counts_KKT = sweep_thresholds(levels_KKT)
    label_K, predicted_KT = levels_KKT.sum(axis=(1, 2)), counts_KKT.sum(axis=0)
    is_there_K = (label_K > 0) | (predicted_KT > 0).any(axis=1)
    is_there_K[BACKGROUND_ID] = False
    classes = np.flatnonzero(is_there_K)
    rows = np.zeros(len(classes), CLASS_ROW)
    rows["class"], rows["label"] = classes, label_K[classes]
    rows["found"], rows["predicted"] = np.einsum("kkt->kt", counts_KKT)[classes], predicted_KT[classes]
    return rows


def _measure_picture(levels_KKT: NDArray[np.int64]) -> NDArray[Any]:
    counts_KKT = sweep_thresholds(levels_KKT)
    figures_T = np.zeros(len(PERCENTS), FIGURES)
    found_T = np.einsum("kkt->kt", counts_KKT)[FOREGROUND].sum(axis=0)
    figures_T["found"] = found_T
    figures_T["wrong"] = counts_KKT[:, FOREGROUND].sum(axis=(0, 1)) - found_T
    figures_T["missed"] = counts_KKT[FOREGROUND].sum(axis=(0, 1)) - found_T
    figures_T["mean_iou"] = mean_foreground(rate_classes(counts_KKT).iou_KT)
    return figures_T
