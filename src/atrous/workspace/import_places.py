"""Where an import puts new pictures, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atrous.datasets.splits import Split, SplitRule, Splittable, find_split_rule, split_for_now
from atrous.workspace.records import make_picture_id

if TYPE_CHECKING:
    from collections.abc import Callable, Set
    from datetime import datetime

    from atrous.workspace.records import Picture


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture goes.

    Attributes:
        said: the split that the source says.
        given: all splits that it gives.
        wanted: the split that counts whatever the source says.
        batch: the name that new pictures are kept together by.
        tags: words that its pictures get.
    """

    said: Split | None
    given: Set[Split | None]
    wanted: Split | None
    batch: str
    tags: tuple[str, ...]

    @property
    def split(self) -> Split | None:
        """What counts; None if it is yet to be chosen."""
        return self.wanted or self.said

    @property
    def rule(self) -> SplitRule | None:
        """How it is to be chosen, if it is."""
        return None if self.wanted else find_split_rule(self.said, self.given)

    def settle(self, picture: Picture, created: datetime) -> Picture:
        """A new picture in its place."""
        settled = replace(
            picture,
            split=self.split or Split.TRAIN,
            pending=self.rule,
            id=make_picture_id(),
            batch=self.batch,
            tags=self.tags,
            created=created,
        )
        if settled.pending is None:
            return settled
        described = Splittable(picture.name, picture.image_sha256, frozenset())
        return replace(settled, split=split_for_now(described, settled.pending))


class Steps:
    """Tells how many of how many pictures are done."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def advance(self) -> None:
        """One more is."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)
