"""Train, valid and test: as the source says, otherwise stratified by class and stable by hash."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from numpy.typing import NDArray


class Split(StrEnum):
    """Which part of a dataset a picture belongs to."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class SplitRule(StrEnum):
    """How splits are chosen where the source gives none."""

    THREE_WAY = "three-way"
    HOLD_OUT = "hold-out"


SHARES: dict[SplitRule, dict[Split, float]] = {
    SplitRule.THREE_WAY: {Split.TRAIN: 0.7, Split.VALID: 0.2, Split.TEST: 0.1},
    SplitRule.HOLD_OUT: {Split.TRAIN: 0.8, Split.VALID: 0.2},
}

SPLIT_NAMES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "valid": Split.VALID,
    "val": Split.VALID,
    "validation": Split.VALID,
    "test": Split.TEST,
    "testing": Split.TEST,
}
COPY_MARK = ".rf."


@dataclass(frozen=True, slots=True)
class Splittable:
    """What choosing a split needs to know of a picture.

    Attributes:
        name: file name; copies of one source share what comes before Roboflow's `.rf.HASH`.
        image_sha256: of its file.
        class_ids: classes that its label shows.
    """

    name: str
    image_sha256: str
    class_ids: frozenset[int]


def source_of_copy(name: str) -> str | None:
    """What Roboflow's augmented copies of one picture share: their name before `.rf.HASH`; None for other names."""
    base_name = name.rpartition("/")[2]
    return base_name.split(COPY_MARK, maxsplit=1)[0] if COPY_MARK in base_name else None


def find_split_rule(split: Split | None, given: Set[Split | None]) -> SplitRule | None:
    """How a picture's split is to be chosen, of a source that gives these splits; None if it says enough."""
    if split is None:
        return SplitRule.THREE_WAY
    return SplitRule.HOLD_OUT if split is Split.TRAIN and given.isdisjoint({Split.VALID, None}) else None


def split_for_now(picture: Splittable, rule: SplitRule) -> Split:
    """A split by hash alone, for as long as not all pictures are known; copies of one source get the same."""
    share = int(_digest(_group_key(picture))[:16], 16) / 2**64
    for split, size in SHARES[rule].items():
        share -= size
        if share < 0:
            return split
    return Split.TRAIN


def choose_splits(
    pictures: Sequence[Splittable], rule: SplitRule, settled: Sequence[tuple[Splittable, Split]] = ()
) -> dict[str, Split]:
    """Split pictures so that each class has its share in each split.

    The rarest class is dealt out first, to the split that lacks most of it (iterative stratification, Sechidis et al.
    2011). Copies of one source stay together. The same pictures get the same splits, in whatever order they come.

    Args:
        pictures: those without a split.
        rule: which splits there are to be, and their shares.
        settled: pictures whose splits stay, and count towards the shares.

    Returns:
        image_sha256 -> split.
    """
    fixed = {_group_key(picture): split for picture, split in settled}
    groups: defaultdict[str, list[Splittable]] = defaultdict(list)
    for picture in (*pictures, *(picture for picture, _ in settled)):
        groups[_group_key(picture)].append(picture)
    keys = sorted(groups, key=_digest)
    chosen = _deal_out(_count_classes(groups[key] for key in keys), SHARES[rule], [fixed.get(key) for key in keys])
    splits = dict(zip(keys, chosen, strict=True))
    return {picture.image_sha256: splits[_group_key(picture)] for picture in pictures}


def _count_classes(groups: Iterable[list[Splittable]]) -> NDArray[np.float64]:
    """Pictures by group and class; the last column counts all pictures of a group."""
    listed = list(groups)
    ids = sorted({class_id for group in listed for picture in group for class_id in picture.class_ids})
    column = {class_id: index for index, class_id in enumerate(ids)}
    counts_GC = np.zeros((len(listed), len(ids) + 1))
    for row, group in enumerate(listed):
        counts_GC[row, -1] = len(group)
        for picture in group:
            for class_id in picture.class_ids:
                counts_GC[row, column[class_id]] += 1
    return counts_GC


def _deal_out(
    counts_GC: NDArray[np.float64], shares: Mapping[Split, float], fixed: Sequence[Split | None]
) -> list[Split]:
    """A split for each group, in order of the groups; those that are fixed stay."""
    splits = list(shares)
    chosen: list[Split | None] = list(fixed)
    is_counted_G = np.array([split is None or split in shares for split in fixed], np.bool_)
    wanted_SC = np.outer(list(shares.values()), counts_GC[is_counted_G].sum(axis=0))
    for group, split in enumerate(fixed):
        if split and split in shares:
            wanted_SC[splits.index(split)] -= counts_GC[group]
    free = [group for group, split in enumerate(fixed) if split is None]
    classes = range(counts_GC.shape[1] - 1)
    rarest_first = sorted(classes, key=lambda column: (np.count_nonzero(counts_GC[:, column]), column))
    for column in (*rarest_first, counts_GC.shape[1] - 1):
        for group in free:
            if chosen[group] is None and counts_GC[group, column] > 0:
                # Most wanted of this class, then most wanted at all, then the later split.
                best = max(range(len(splits)), key=lambda row: (*np.round(wanted_SC[row, [column, -1]], 9), row))
                chosen[group] = splits[best]
                wanted_SC[best] -= counts_GC[group]
    if len(chosen) > 1 and free and Split.VALID not in chosen:
        chosen[free[-1]] = Split.VALID  # a training without a valid split cannot be judged
    return [split or Split.TRAIN for split in chosen]


def _group_key(picture: Splittable) -> str:
    return source_of_copy(picture.name) or picture.image_sha256


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
