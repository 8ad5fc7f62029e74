"""A look at a whole dataset without keeping any of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from atrous.core.class_map import VOID_ID
from atrous.datasets.cross_checks import find_across, find_moves
from atrous.datasets.facts import PictureFacts, sum_pixels
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.labels import load_labelled_picture
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.splits import Split, SplitRule, Splittable, choose_splits, find_split_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atrous.core.class_map import ClassMap
    from atrous.datasets.class_mapping import ClassMapping
    from atrous.datasets.source import Source, SourceItem


SHOWN_SIZES = 8


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at a dataset gave.

    Attributes:
        facts: of each picture that could be used, with the split that an import would give it.
        findings: faults, those that would leave a file out first.
        notes: what else was seen, as sentences for people.
    """

    facts: tuple[PictureFacts, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def count_sizes(self, shown: int = SHOWN_SIZES) -> list[tuple[str, int]]:
        """The commonest sizes and how many pictures have them; the last row may stand for all others."""
        counts = Counter(str(picture.size) for picture in self.facts).most_common()
        rest = sum(count for _, count in counts[shown:])
        return [*counts[:shown], *([(f"{len(counts) - shown} other sizes", rest)] if rest else [])]

    def as_json(self, class_map: ClassMap) -> dict[str, Any]:
        """The inspection as plain values, classes by name."""
        pixels = sum_pixels(self.facts)
        return {
            "pictures": {split.value: sum(one.split is split for one in self.facts) for split in Split},
            "pixels": {
                split.value: {name: pixels[split][class_id] for class_id, name in enumerate(class_map.names)}
                for split in Split
            },
            "void_pixels": {split.value: pixels[split][VOID_ID] for split in Split},
            "findings": [finding.as_json() for finding in self.findings],
            "notes": list(self.notes),
        }


def inspect_source(
    source: Source,
    mapping: ClassMapping,
    fixes: Fixes = NO_FIXES,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Load and check every pair of a source, and all of them against each other.

    Args:
        source: the dataset.
        mapping: from its values to our ids.
        fixes: remedies to apply.
        progress: told how many of how many pictures are done, after each.
    """
    facts: list[PictureFacts] = []
    undecided: dict[SplitRule, list[PictureFacts]] = {rule: [] for rule in SplitRule}
    given = {item.split for item in source.items}
    findings = list(source.findings)
    remarks = Counter[str]()
    taken: dict[str, str] = {}
    with closing(map_in_threads(partial(_look_at, mapping=mapping, fixes=fixes), source.items)) as results:
        for done, (item, result) in enumerate(zip(source.items, results, strict=True), start=1):
            if isinstance(result, Finding):
                findings.append(result)
            elif result.facts.image_sha256 in taken:
                reason = f"is the same picture as {taken[result.facts.image_sha256]}"
                findings.append(Finding(Kind.SAME_PICTURE, item.image.name, reason, "remove one of them"))
            else:
                taken[result.facts.image_sha256] = item.image.name
                findings += result.warnings
                remarks.update(result.remarks)
                rule = find_split_rule(item.split, given)
                (undecided[rule] if rule else facts).append(result.facts)
            if progress:
                progress(done, len(source.items))
    for rule, pictures in undecided.items():
        facts += _split(pictures, rule)
    if Fix.COPIES_TO_TRAIN in fixes:
        moved = find_moves(facts)
        facts = [replace(one, split=Split.TRAIN) if one.name in moved else one for one in facts]
    findings += find_across(facts, mapping.class_map)
    return Inspection(
        facts=tuple(facts),
        findings=tuple(sorted(findings, key=lambda finding: finding.is_warning)),
        notes=(*source.notes, *(f"{phrase}: {count}" for phrase, count in remarks.items())),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    facts: PictureFacts
    warnings: tuple[Finding, ...]
    remarks: dict[str, int]


def _look_at(item: SourceItem, mapping: ClassMapping, fixes: Fixes) -> _Look | Finding:
    labelled = load_labelled_picture(item, mapping, fixes)
    if isinstance(labelled, Finding):
        return labelled
    facts = PictureFacts(
        name=item.image.name,
        split=item.split or Split.TRAIN,
        size=labelled.size,
        image_sha256=hashlib.sha256(labelled.image).hexdigest(),
        look=labelled.look,
        class_pixels=labelled.class_pixels,
    )
    return _Look(facts, labelled.warnings, dict(labelled.remarks))


def _split(facts: Sequence[PictureFacts], rule: SplitRule) -> list[PictureFacts]:
    """As an import would split them."""
    pictures = [Splittable(one.name, one.image_sha256, frozenset(one.class_pixels)) for one in facts]
    splits = choose_splits(pictures, rule)
    return [replace(one, split=splits[one.image_sha256]) for one in facts]
