"""Telling texts apart by 16 bytes each, however many they are."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST_BYTES = 16
# Two numbers of eight bytes, which NumPy can sort.
PAIR = np.dtype([("first", "<u8"), ("second", "<u8")])


class Digests:
    """One after the other, as many as there were texts."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, text: str) -> None:
        """Add a text's digest; file names that are no text are told apart too."""
        self._bytes += blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()

    def read(self) -> NDArray[np.void]:
        """All, in order, as pairs of numbers."""
        return np.frombuffer(self._bytes, PAIR)


def keep_firsts(digests: Digests) -> NDArray[np.bool_]:
    """Which of them, in order, no earlier one is equal to."""
    pairs_N = digests.read()
    order_N = np.lexsort((pairs_N["second"], pairs_N["first"]))
    sorted_N = pairs_N[order_N]
    is_new_N = np.ones(len(pairs_N), np.bool_)
    is_new_N[1:] = sorted_N[1:] != sorted_N[:-1]
    is_first_N = np.zeros(len(pairs_N), np.bool_)
    # Sorting is stable: of equal ones the earliest stands first.
    is_first_N[order_N] = is_new_N
    return is_first_N
