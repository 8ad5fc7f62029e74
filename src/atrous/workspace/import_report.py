"""What an import did, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.datasets.class_mapping import MappingRow
from atrous.datasets.findings import read_finding
from atrous.datasets.fixes import Fix
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.datasets.findings import Finding


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
        unlabelled: how many of the new pictures have no label.
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
    unlabelled: int = 0

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
            "unlabelled": self.unlabelled,
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


def read_report(content: Mapping[str, Any]) -> ImportReport:
    """The report that `as_json` gave, with the findings that it still has.

    Raises:
        KeyError, TypeError, ValueError: if it is none.
    """
    return ImportReport(
        project=content["project"],
        format=content["format"],
        mapping=tuple(MappingRow(**row) for row in content["mapping"]),
        is_refused=content["refused"],
        imported={Split(split): count for split, count in content["imported"].items()},
        known=content["known"],
        relabelled=tuple(Relabelled(**one) for one in content["relabelled"]),
        findings=tuple(map(read_finding, content["findings"])),
        pixels={Split(split): dict(by_name) for split, by_name in content["pixels"].items()},
        void_pixels={Split(split): pixels for split, pixels in content["void_pixels"].items()},
        mended={Fix(fix): count for fix, count in content["mended"].items()},
        notes=tuple(content["notes"]),
        unlabelled=content["unlabelled"],
    )
