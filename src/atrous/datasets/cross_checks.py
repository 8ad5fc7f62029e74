"""Faults that no single file shows: leaks between splits, and classes that are never seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND_ID, ClassMap
from atrous.datasets.findings import WHOLE_DATASET, Finding, Kind
from atrous.datasets.fixes import Fix
from atrous.datasets.looks import find_twins
from atrous.datasets.splits import Split, source_of_copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atrous.datasets.facts import PictureFacts

# A leak is named at the picture that is in the way of an honest score.
NEARER = {Split.VALID: (Split.TRAIN,), Split.TEST: (Split.TRAIN, Split.VALID)}


def find_across(facts: Sequence[PictureFacts], class_map: ClassMap) -> list[Finding]:
    """All faults that show only when the pictures are seen together."""
    return [*find_leaks(facts), *_find_same_names(facts), *_find_unseen(facts, class_map)]


def find_leaks(facts: Sequence[PictureFacts]) -> list[Finding]:
    """Pictures of valid and test that train, or valid, holds as a copy or near-duplicate; one finding a picture."""
    leaks = {finding.file: finding for finding in _find_near_duplicates(facts)}
    # A copy by name is the surer of the two reasons.
    leaks |= {finding.file: finding for finding in _find_copies(facts)}
    return sorted(leaks.values(), key=lambda finding: finding.file)


def find_moves(facts: Sequence[PictureFacts]) -> set[str]:
    """Names of the pictures that have to go to train so that train shares no scene with the other splits.

    A picture that goes there may take others with it that look like it.
    """
    moved = set[str]()
    now = list(facts)
    while blamed := {finding.file for finding in find_leaks(now) if finding.fix is Fix.COPIES_TO_TRAIN}:
        moved |= blamed
        now = [replace(one, split=Split.TRAIN) if one.name in blamed else one for one in now]
    return moved


def _find_copies(facts: Sequence[PictureFacts]) -> Iterator[Finding]:
    by_source: defaultdict[str, list[PictureFacts]] = defaultdict(list)
    for picture in facts:
        source = source_of_copy(picture.name)
        if source:
            by_source[source].append(picture)
    for copies in by_source.values():
        for picture, other in _pair_across_splits(copies):
            reason = f"is a copy ({picture.split}) of the same source as {other.name} ({other.split})"
            remedy = "keep all copies of a source in one split"
            yield _leak(Kind.COPY_ACROSS_SPLITS, picture, other, reason, remedy)


def _find_near_duplicates(facts: Sequence[PictureFacts]) -> Iterator[Finding]:
    known = {split: [one for one in facts if one.look and one.split is split] for split in Split}
    for split, nearer in NEARER.items():
        waiting = known[split]
        for other in nearer:
            among = known[other]
            twins = find_twins([one.look for one in waiting], [one.look for one in among])
            for position, twin in twins.items():
                reason = f"({split}) looks the same as {among[twin].name} ({other})"
                remedy = "keep pictures of one scene in one split"
                yield _leak(Kind.NEAR_DUPLICATE_ACROSS_SPLITS, waiting[position], among[twin], reason, remedy)
            waiting = [one for position, one in enumerate(waiting) if position not in twins]


def _pair_across_splits(pictures: Sequence[PictureFacts]) -> Iterator[tuple[PictureFacts, PictureFacts]]:
    """Each picture beside one that is the same and in a split nearer to training."""
    first_of = {split: next((one for one in pictures if one.split is split), None) for split in Split}
    for picture in pictures:
        other = next((first_of[split] for split in NEARER.get(picture.split, ()) if first_of[split]), None)
        if other:
            yield picture, other


def _leak(kind: Kind, picture: PictureFacts, other: PictureFacts, reason: str, remedy: str) -> Finding:
    fix = Fix.COPIES_TO_TRAIN if other.split is Split.TRAIN else None
    return Finding(kind, picture.name, reason, remedy, fix, other_file=other.name)


def _find_same_names(facts: Sequence[PictureFacts]) -> Iterator[Finding]:
    names = Counter(picture.name.rpartition("/")[2] for picture in facts)
    repeated = [name for name, count in names.items() if count > 1]
    if repeated:
        total = sum(names[name] for name in repeated)
        reason = f"{total} pictures share {len(repeated)} names, such as {repeated[0]}; they are kept apart by content"
        yield Finding(Kind.REPEATED_NAME, WHOLE_DATASET, reason, "rename them if you look for them by name")


def _find_unseen(facts: Sequence[PictureFacts], class_map: ClassMap) -> Iterator[Finding]:
    seen: dict[Split, set[int]] = {split: set() for split in Split}
    for picture in facts:
        seen[picture.split].update(picture.class_pixels)
    anywhere = set[int]().union(*seen.values())
    ids = range(BACKGROUND_ID + 1, len(class_map))
    never = [class_map.names[class_id] for class_id in ids if class_id not in anywhere]
    if never:
        reason = f"not one pixel shows {_join(never)}"
        yield Finding(Kind.CLASS_NEVER_SEEN, WHOLE_DATASET, reason, "label some or take them out of the class names")
    untrained = [class_map.names[class_id] for class_id in ids if class_id in anywhere - seen[Split.TRAIN]]
    if untrained and seen[Split.TRAIN]:
        reason = f"no picture of train shows {_join(untrained)}, which other splits do"
        yield Finding(Kind.CLASS_NEVER_SEEN, WHOLE_DATASET, reason, "move some of their pictures to train")


def _join(names: Sequence[str]) -> str:
    return ("class " if len(names) == 1 else f"{len(names)} classes: ") + ", ".join(repr(name) for name in names)
