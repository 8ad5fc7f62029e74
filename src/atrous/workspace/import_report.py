"""What an import did, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from atrous.datasets.class_mapping import MappingRow
    from atrous.datasets.findings import Finding
    from atrous.datasets.fixes import Fix


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A picture of the project that got a new label; `changed_px` of its pixels are of another class than before."""

    file: str
    changed_px: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        format: the source's, by its name in FORMATS.
        mapping: what each value of the source became.
        is_refused: whether there were findings and `strict` was asked for, so that nothing was imported.
        imported: new pictures by split.
        known: pictures that were in the project already, the relabelled ones among them.
        relabelled: pictures whose labels were replaced.
        findings: faults, those of files left out first.
        pixels: by split and class name, of all the source's pictures that are in the project now.
        void_pixels: by split, pixels of those pictures that belong to no class.
        mended: pictures whose labels a remedy changed, by remedy.
        notes: what was decided on the way, as sentences for people.
    """

    project: str
    format: str
    mapping: tuple[MappingRow, ...]
    is_refused: bool
    imported: dict[Split, int]
    known: int
    relabelled: tuple[Relabelled, ...]
    findings: tuple[Finding, ...]
    pixels: dict[Split, dict[str, int]]
    void_pixels: dict[Split, int]
    mended: dict[Fix, int]
    notes: tuple[str, ...]

    @property
    def left_out(self) -> dict[str, int]:
        """Findings by kind, those that left a file out."""
        return dict(Counter(finding.kind.value for finding in self.findings if not finding.is_warning))

    @property
    def warnings(self) -> dict[str, int]:
        """Findings by kind, those that left nothing out."""
        return dict(Counter(finding.kind.value for finding in self.findings if finding.is_warning))

    @property
    def class_pixels(self) -> dict[str, int]:
        """Pixels by class name over all splits, in order of id."""
        total = Counter[str]()
        for by_name in self.pixels.values():
            for name, pixels in by_name.items():
                total[name] += pixels
        return dict(total)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "project": self.project,
            "format": self.format,
            "mapping": [row.as_json() for row in self.mapping],
            "refused": self.is_refused,
            "imported": {split.value: self.imported.get(split, 0) for split in Split},
            "known": self.known,
            "relabelled": [{"file": one.file, "changed_px": one.changed_px} for one in self.relabelled],
            "left_out": self.left_out,
            "warnings": self.warnings,
            "findings": [finding.as_json() for finding in self.findings],
            "pixels": {split.value: by_name for split, by_name in self.pixels.items()},
            "void_pixels": {split.value: pixels for split, pixels in self.void_pixels.items()},
            "mended": {fix.value: count for fix, count in self.mended.items()},
            "notes": list(self.notes),
        }
