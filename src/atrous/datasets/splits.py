"""Train, valid and test: as the source says, otherwise stable by hash."""

from __future__ import annotations

import hashlib
from enum import StrEnum

TRAIN_SHARE = 0.7
VALID_SHARE = 0.2


class Split(StrEnum):
    """Which part of a dataset a picture belongs to."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


SPLIT_NAMES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "valid": Split.VALID,
    "val": Split.VALID,
    "validation": Split.VALID,
    "test": Split.TEST,
    "testing": Split.TEST,
}


def source_stem(name: str) -> str:
    """What copies of one source share: the name without its suffix and without Roboflow's `.rf.HASH`."""
    return name.rsplit("/", 1)[-1].split(".rf.", maxsplit=1)[0].rsplit(".", 1)[0]


def split_by_hash(name: str) -> Split:
    """A split that depends on the source's name alone: about 70 % train, 20 % valid, 10 % test."""
    share = _share_of(name)
    if share < TRAIN_SHARE:
        return Split.TRAIN
    return Split.VALID if share < TRAIN_SHARE + VALID_SHARE else Split.TEST


def hold_out_valid(name: str) -> Split:
    """Train or, for about 20 % of sources, valid: for datasets that come with a train split alone."""
    return Split.VALID if _share_of(name) >= 1 - VALID_SHARE else Split.TRAIN


def _share_of(name: str) -> float:
    digest = hashlib.sha256(source_stem(name).encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
