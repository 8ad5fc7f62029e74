"""What is wrong with one file of a dataset, and what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from atrous.datasets.fixes import Fix

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What sort of fault it is."""

    UNREADABLE = "unreadable"
    DAMAGED_PICTURE = "damaged-picture"
    DAMAGED_LABEL = "damaged-label"
    TOO_LARGE = "too-large"
    NO_LABEL = "no-label"
    NO_PICTURE = "no-picture"
    WRONG_SIZE = "wrong-size"
    WRONG_KIND_OF_MASK = "wrong-kind-of-mask"
    UNDECLARED_VALUE = "undeclared-value"
    UNUSABLE_OUTLINE = "unusable-outline"
    SAME_NAME = "same-name"
    SAME_PICTURE = "same-picture"
    UNSAFE_ENTRY = "unsafe-entry"
    OTHER_LABEL = "other-label"
    EMPTY_LABEL = "empty-label"
    MAYBE_TURNED = "maybe-turned"
    MAYBE_DAMAGED = "maybe-damaged"
    REPEATED_NAME = "repeated-name"
    CLASS_NEVER_SEEN = "class-never-seen"
    COPY_ACROSS_SPLITS = "copy-across-splits"
    NEAR_DUPLICATE_ACROSS_SPLITS = "near-duplicate-across-splits"


# Kinds that leave nothing out: the picture is imported, but should be looked at.
WARNINGS = frozenset(
    {
        Kind.OTHER_LABEL,
        Kind.EMPTY_LABEL,
        Kind.MAYBE_TURNED,
        Kind.MAYBE_DAMAGED,
        Kind.REPEATED_NAME,
        Kind.CLASS_NEVER_SEEN,
        Kind.COPY_ACROSS_SPLITS,
        Kind.NEAR_DUPLICATE_ACROSS_SPLITS,
    }
)


# The file of a finding that is about all of them.
WHOLE_DATASET = "."


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, where it is, and how to mend it.

    Attributes:
        kind: what sort of fault it is; says whether the file was left out.
        file: its path inside the dataset.
        reason: what is wrong, to be read after the file's name.
        remedy: what to do, as an imperative.
        fix: the remedy that `--fix` knows, if one would help.
        pixel_xy: the first wrong pixel.
        value: what that pixel holds, as people write it.
        other_file: the one that it contradicts, where there is one.
    """

    kind: Kind
    file: str
    reason: str
    remedy: str
    fix: Fix | None = None
    pixel_xy: tuple[int, int] | None = None
    value: str | None = None
    other_file: str | None = None

    def __str__(self) -> str:
        file = "the dataset" if self.file == WHOLE_DATASET else self.file
        return f"{file}: {self.reason}; {self.remedy}{f', or use --fix {self.fix}' if self.fix else ''}"

    @property
    def is_warning(self) -> bool:
        """Whether the file was taken nevertheless."""
        return self.kind in WARNINGS

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        return {
            "kind": self.kind.value,
            "left_out": not self.is_warning,
            "file": self.file,
            "reason": self.reason,
            "remedy": self.remedy,
            "fix": self.fix.value if self.fix else None,
            "pixel_xy": list(self.pixel_xy) if self.pixel_xy else None,
            "value": self.value,
            "other_file": self.other_file,
        }


def read_finding(content: Mapping[str, Any]) -> Finding:
    """The finding that `as_json` gave.

    Raises:
        KeyError, TypeError, ValueError: if it is none.
    """
    x_y = content["pixel_xy"]
    return Finding(
        kind=Kind(content["kind"]),
        file=content["file"],
        reason=content["reason"],
        remedy=content["remedy"],
        fix=Fix(content["fix"]) if content["fix"] else None,
        pixel_xy=(x_y[0], x_y[1]) if x_y else None,
        value=content["value"],
        other_file=content["other_file"],
    )
