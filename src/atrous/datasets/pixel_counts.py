"""How often each value occurs in an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# bincount widens its input to 64 bits; in blocks that costs 8 MB instead of 8 bytes a pixel.
BLOCK = 1 << 20


def count_values(values: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Occurrences of 0 to `size` - 1 in an array of smaller unsigned integers."""
    flat = values.ravel()
    counts = np.zeros(size, np.int64)
    for start in range(0, len(flat), BLOCK):
        counts += np.bincount(flat[start : start + BLOCK], minlength=size)
    return counts


def keep_present(counts: NDArray[np.int64]) -> dict[int, int]:
    """Those values that occur, and how often."""
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
