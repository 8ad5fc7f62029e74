"""What every format gives: classes by the source's own values, and pictures with labels that can be loaded later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.findings import Finding
    from atrous.datasets.splits import Split


@dataclass(frozen=True, slots=True, eq=False)
class LabelValues:
    """A label in the source's own values.

    Attributes:
        values_HW: one value a pixel.
        overpainted_px: pixels where a later outline of another class covered an earlier one.
        ignored_outlines: outlines without area, which colour nothing.
    """

    values_HW: NDArray[np.uint8] | NDArray[np.uint16]
    overpainted_px: int = 0
    ignored_outlines: int = 0


class Label(Protocol):
    """Where a label is and how to load it; a frozen value that travels to worker processes."""

    @property
    def path(self) -> Path:
        """The file to name when something is wrong with the label."""
        ...

    def load(self, picture: Size) -> LabelValues | Finding:
        """The label of a picture of this size (after EXIF rotation), or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One picture and its label; `split` is None where the source gives none."""

    name: str
    image_path: Path
    split: Split | None
    label: Label


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset folder, read but not yet checked pixel by pixel.

    Attributes:
        classes: source value -> source name, in order of value.
        findings: files that cannot be imported, known without opening them.
        notes: what was decided on the way, as sentences for people.
    """

    classes: dict[int, str]
    items: tuple[SourceItem, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
