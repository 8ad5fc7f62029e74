"""How a picture looks, in 256 bits: near-duplicates differ in few of them, also after scaling and compressing again.

A difference hash: a grey picture of 17x16 pixels, and for each pixel whether its right neighbour is brighter.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SIDE = 16
LOOK_BYTES = SIDE * SIDE // 8
# Measured on six datasets: of pictures saved again at half the size and JPEG quality 30, 95 in 100 differ in at most 19
# bits and all in at most 21; pictures of different scenes differ in 39 and more.
MAX_DIFFERENT_BITS = 20
# Candidates are looked for where one of the 16 bands of 16 bits is equal: always so for up to 15 different bits, and
# for 20 bits spread by chance in 99 of 100 pairs.
BAND_BYTES = 2


def compute_look(grey_HW: NDArray[np.uint8]) -> bytes:
    """The look of an upright grey picture."""
    small_HW = cv2.resize(grey_HW, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small_HW[:, 1:] > small_HW[:, :-1]).tobytes()


def find_near_duplicates(looks: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Pairs of positions, the smaller first, whose looks differ in at most MAX_DIFFERENT_BITS; each pair once.

    Looks without any structure, such as an evenly coloured picture's, are like all of their kind and are left out.
    """
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for position, look in enumerate(looks):
        if any(look) and look.strip(b"\xff"):
            places[look].append(position)
    distinct = np.frombuffer(b"".join(places), np.uint8).reshape(-1, LOOK_BYTES)
    groups = list(places.values())
    for group in groups:
        yield from ((first, second) for index, first in enumerate(group) for second in group[index + 1 :])
    for one, other in _find_similar(distinct):
        yield from ((min(a, b), max(a, b)) for a in groups[one] for b in groups[other])


def _find_similar(looks_NB: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that differ in few bits."""
    found: set[tuple[int, int]] = set()
    for band in range(LOOK_BYTES // BAND_BYTES):
        key_N = looks_NB[:, BAND_BYTES * band : BAND_BYTES * (band + 1)].copy().view(np.uint16).ravel()
        order_N = np.argsort(key_N, kind="stable")
        edges = np.flatnonzero(np.diff(key_N[order_N])) + 1
        for rows_M in np.split(order_N, edges):
            found.update(_compare(looks_NB, rows_M))
    yield from sorted(found)


def _compare(looks_NB: NDArray[np.uint8], rows_M: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    for index in range(len(rows_M) - 1):
        first, rest = rows_M[index], rows_M[index + 1 :]
        bits = np.bitwise_count(looks_NB[rest] ^ looks_NB[first]).sum(axis=1)
        yield from ((int(first), int(row)) for row in rest[bits <= MAX_DIFFERENT_BITS])
