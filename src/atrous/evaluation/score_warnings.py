"""What to bear in mind before believing a score.

Axes: K classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atrous.core.class_map import ClassMap
    from atrous.evaluation.picture_counts import PictureCounts
    from atrous.evaluation.scores import Scores
    from atrous.evaluation.traits import Traits

LEAST_PICTURES = 10
WIDEST_INTERVAL = 0.1
LEAST_CLASS_PICTURES = 5
LEAST_CLASS_PIXELS = 1000
# In bits, 0 to 1.
MOST_DIVERGENCE = 0.1
MOST_SIZE_RATIO = 1.5
# Of 256 levels.
MOST_BRIGHTNESS_SHIFT = 30.0
NAMED_PICTURES = 10
UNSURE = "these are pixels below the threshold, so lower it or go by the plain winner, which they do not touch"


class Kind(StrEnum):
    """What a warning is about."""

    FEW_PICTURES = "few_pictures"
    WIDE_INTERVAL = "wide_interval"
    RARE_CLASS = "rare_class"
    ABSENT_CLASS = "absent_class"
    SEEN_PICTURES = "seen_pictures"
    OTHER_CLASS_SHARES = "other_class_shares"
    OTHER_SIZES = "other_sizes"
    OTHER_BRIGHTNESS = "other_brightness"


@dataclass(frozen=True, slots=True)
class ScoreWarning:
    """One reason why a score may mislead.

    Attributes:
        kind: for programs.
        message: one sentence, with its numbers and what to do.
        classes: names of the classes it is about.
        pictures: names of pictures it is about, at most ten.
        values: the numbers of the message.
    """

    kind: Kind
    message: str
    classes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {
            "kind": self.kind.value,
            "classes": list(self.classes),
            "pictures": list(self.pictures),
        }


def check_scores(scores: Scores, counts: PictureCounts, class_map: ClassMap) -> list[ScoreWarning]:
    """What the scores themselves call for.

    Args:
        scores: with their intervals.
        counts: the pictures behind them.
        class_map: names of the K classes.
    """
    return [
        *_check_pictures(len(counts)),
        *_check_width(scores),
        *_check_rare(counts, class_map),
        *_check_absent(counts, class_map),
    ]


def check_split(split: str, scored: Traits, train: Traits, class_map: ClassMap) -> list[ScoreWarning]:
    """What sets a split apart from what the model was trained on, or does not set it apart enough.

    Args:
        split: name of the scored split.
        scored: traits of its pictures.
        train: traits of the pictures of train.
        class_map: names of the K classes.
    """
    if not scored.names or not train.names:
        return []
    return [
        *_check_seen(split, scored, train),
        *_check_shares(split, scored, train, class_map),
        *_check_sizes(split, scored, train),
        *_check_brightness(split, scored, train),
    ]


def _check_pictures(pictures: int) -> list[ScoreWarning]:
    if pictures >= LEAST_PICTURES:
        return []
    message = (
        f"{pictures} {'picture was' if pictures == 1 else 'pictures were'} scored, and intervals of fewer than "
        f"{LEAST_PICTURES} are too narrow; label more pictures for this split"
    )
    return [ScoreWarning(Kind.FEW_PICTURES, message, values={"pictures": pictures})]


def _check_width(scores: Scores) -> list[ScoreWarning]:
    interval = scores.intervals and scores.intervals.mean_iou
    if interval is None or interval.width <= WIDEST_INTERVAL:
        return []
    message = (
        f"the interval of mIoU is {interval.width:.3f} wide, from {interval.low:.3f} to {interval.high:.3f}; models "
        "that differ by less may be equally good, so label more pictures for this split before you compare them"
    )
    return [ScoreWarning(Kind.WIDE_INTERVAL, message, values={"low": interval.low, "high": interval.high})]


def _check_rare(counts: PictureCounts, class_map: ClassMap) -> list[ScoreWarning]:
    shown_K, label_K = counts.shown_K, counts.label_PK.sum(axis=0)
    return [
        ScoreWarning(
            Kind.RARE_CLASS,
            f"{name}: {int(label_K[i]):,} pixels in {_count(shown_K[i], 'picture')} are too few to score it; label at "
            f"least {LEAST_CLASS_PICTURES} pictures that show it",
            (name,),
            values={"pixels": int(label_K[i]), "pictures": int(shown_K[i])},
        )
        for i, name in enumerate(class_map.names)
        if label_K[i] and (shown_K[i] < LEAST_CLASS_PICTURES or label_K[i] < LEAST_CLASS_PIXELS)
    ]


def _check_absent(counts: PictureCounts, class_map: ClassMap) -> list[ScoreWarning]:
    """Classes that nobody labelled but the model predicts: each counts as an IoU of 0 in the mean."""
    label_K, predicted_K = counts.label_PK.sum(axis=0), counts.predicted_PK.sum(axis=0)
    return [
        ScoreWarning(
            Kind.ABSENT_CLASS,
            f"{name}: no pixel is labelled with it, but {int(predicted_K[i]):,} are answered as served, so it counts "
            f"as 0 in that mIoU; {UNSURE if i == BACKGROUND_ID else 'look at the pictures where it is seen'}",
            (name,),
            values={"predicted_pixels": int(predicted_K[i])},
        )
        for i, name in enumerate(class_map.names)
        if predicted_K[i] and not label_K[i]
    ]


def _check_seen(split: str, scored: Traits, train: Traits) -> list[ScoreWarning]:
    twins = scored.find_twins(train)
    if not twins:
        return []
    first, second = next(iter(twins.items()))
    message = (
        f"{len(twins)} of {_count(len(scored.names), 'picture')} of {split} look the same as pictures of train, such "
        f"as {first} and {second}; the scores are too good, so keep pictures of one scene in one split"
    )
    values = {"pictures": len(twins), "of": len(scored.names)}
    return [ScoreWarning(Kind.SEEN_PICTURES, message, pictures=tuple(twins)[:NAMED_PICTURES], values=values)]


def _check_shares(split: str, scored: Traits, train: Traits, class_map: ClassMap) -> list[ScoreWarning]:
    if not scored.pixels_K.sum() or not train.pixels_K.sum():
        return []
    share_K, train_K = (traits.pixels_K / traits.pixels_K.sum() for traits in (scored, train))
    divergence = measure_divergence(share_K, train_K)
    if divergence <= MOST_DIVERGENCE:
        return []
    most = int(np.abs(share_K - train_K).argmax())
    name = class_map.names[most]
    message = (
        f"{split} shows other classes than train (Jensen-Shannon divergence {divergence:.2f} of 1): {name} has "
        f"{share_K[most]:.1%} of its pixels but {train_K[most]:.1%} of train's; mix the pictures before they are split"
    )
    values = {"divergence": divergence, "share": float(share_K[most]), "train_share": float(train_K[most])}
    return [ScoreWarning(Kind.OTHER_CLASS_SHARES, message, (name,), values=values)]


def _check_sizes(split: str, scored: Traits, train: Traits) -> list[ScoreWarning]:
    side_px, train_px = scored.middle_side_px, train.middle_side_px
    if max(side_px / train_px, train_px / side_px) <= MOST_SIZE_RATIO:
        return []
    message = (
        f"pictures of {split} are {side_px:.0f} pixels wide and high in the middle, those of train {train_px:.0f}, as "
        "the root of their area; mix the pictures before they are split"
    )
    return [ScoreWarning(Kind.OTHER_SIZES, message, values={"side_px": side_px, "train_side_px": train_px})]


def _check_brightness(split: str, scored: Traits, train: Traits) -> list[ScoreWarning]:
    level, train_level = scored.middle_brightness, train.middle_brightness
    if abs(level - train_level) <= MOST_BRIGHTNESS_SHIFT:
        return []
    word = "brighter" if level > train_level else "darker"
    message = (
        f"pictures of {split} are {word} than those of train, {level:.0f} against {train_level:.0f} of 255 in the "
        "middle; mix the pictures before they are split"
    )
    return [ScoreWarning(Kind.OTHER_BRIGHTNESS, message, values={"brightness": level, "train_brightness": train_level})]


def measure_divergence(share_K: Sequence[float] | np.ndarray, other_K: Sequence[float] | np.ndarray) -> float:
    """The Jensen-Shannon divergence of two distributions in bits: 0 if they are equal, 1 if they share nothing."""
    pairs = np.array([share_K, other_K], np.float64)
    middle_K = pairs.mean(axis=0)
    terms = np.where(pairs > 0, pairs * np.log2(np.where(pairs > 0, pairs, 1) / np.where(middle_K > 0, middle_K, 1)), 0)
    return float(terms.sum() / 2)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
