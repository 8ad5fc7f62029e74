"""Words of uploads, as clients spell them."""

from __future__ import annotations

from atrous.core.errors import InvalidInputError
from atrous.datasets.splits import Split

SPLITS = {"train": Split.TRAIN, "valid": Split.VALID, "val": Split.VALID, "test": Split.TEST}


def read_split(word: str) -> Split:
    """The split of a word.

    Raises:
        InvalidInputError: if it names none.
    """
    split = SPLITS.get(word.strip().lower())
    if split is None:
        raise InvalidInputError(f"split {word[:50]!r}: use train, valid or test")
    return split
