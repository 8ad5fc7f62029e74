"""What is wrong with one file of a dataset, and what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.core.sizes import Size


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that was left out, why, and how to mend it."""

    file: Path
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}; {self.remedy}"


def find_unreadable(file: Path, error: OSError) -> Finding:
    """The finding for a file that the system does not let us read."""
    return Finding(file, f"cannot be read ({error.strerror or error})", "check that it exists and may be read")


def find_wrong_size(file: Path, label: Size, picture: Size) -> Finding | None:
    """A finding unless the label has the size of its picture as people see it, after EXIF rotation."""
    if label == picture:
        return None
    if (label.height, label.width) == (picture.width, picture.height):
        return Finding(
            file,
            f"the label is {label}, its picture {picture} once it is turned as its EXIF data says",
            "turn the label as well, or save the picture upright",
        )
    return Finding(file, f"the label is {label}, its picture {picture}", "export both at the same size")
