"""Cores and GPUs of this host, lent so that deployments share as few of them as can be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Shares:
    """Numbered things, each lent to any number of borrowers."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = tuple(numbers)
        self._lent: dict[str, tuple[int, ...]] = {}

    def lend(self, borrower: str, count: int) -> tuple[int, ...]:
        """Those that the fewest others have, the last ones first; the same again as long as they are not given back."""
        if borrower not in self._lent:
            uses = Counter(number for numbers in self._lent.values() for number in numbers)
            # The first ones are where whoever keeps to one core is mostly found.
            by_use = sorted(self._numbers, key=lambda number: (uses[number], -number))
            self._lent[borrower] = tuple(sorted(by_use[:count]))
        return self._lent[borrower]

    def give_back(self, borrower: str) -> None:
        """It uses them no more."""
        self._lent.pop(borrower, None)
