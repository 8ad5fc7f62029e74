"""What every format gives: classes by the source's own values, and pictures with labels that can be loaded later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from atrous.datasets.fixes import NO_FIXES, Fix, Fixes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.files.tree import File
    from atrous.datasets.findings import Finding
    from atrous.datasets.splits import Split


@dataclass(frozen=True, slots=True)
class Hints:
    """What a person says about a dataset that its files do not.

    Attributes:
        class_list: a file of class names that counts instead of those in the dataset.
        fixes: remedies that were asked for.
    """

    class_list: Path | None = None
    fixes: Fixes = NO_FIXES


NO_HINTS = Hints()


@dataclass(frozen=True, slots=True)
class PictureShape:
    """What a label has to fit.

    Attributes:
        size: of the picture as people see it, after EXIF rotation.
        orientation: 1 to 8 as in EXIF; 1 is upright.
    """

    size: Size
    orientation: int = 1

    @property
    def is_turned_sideways(self) -> bool:
        """Whether width and height are exchanged between the file and what people see."""
        return self.orientation >= 5


@dataclass(frozen=True, slots=True, eq=False)
class LabelValues:
    """A label in the source's own values.

    Attributes:
        values_HW: one value a pixel.
        remarks: what was seen on the way, as a phrase that a count can follow -> count; summed up over a dataset.
        fixed: remedies that changed this label.
    """

    values_HW: NDArray[np.uint8] | NDArray[np.uint16]
    remarks: Mapping[str, int] = field(default_factory=dict[str, int])
    fixed: frozenset[Fix] = NO_FIXES


class Label(Protocol):
    """Where a label is and how to load it; a frozen value that travels to worker processes."""

    @property
    def file(self) -> File:
        """The file to name when something is wrong with the label."""
        ...

    def digest(self) -> bytes:
        """A hash of all that the source says about this label, found without drawing it.

        Raises:
            UnreadableFileError: if its file cannot be read.
        """
        ...

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """The label of a picture of this shape, or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One picture and its label; `split` is None where the source gives none."""

    image: File
    split: Split | None
    label: Label


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset, read but not yet checked pixel by pixel.

    Attributes:
        classes: source value -> source name, in order of value.
        items: pictures with labels, in order of name.
        findings: files that cannot be imported, known without opening them.
        notes: what was decided on the way, as sentences for people.
    """

    classes: dict[int, str]
    items: tuple[SourceItem, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
