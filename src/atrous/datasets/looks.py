"""How a picture looks, in 256 bits: near-duplicates differ in few of them, also after scaling and compressing again.

A difference hash: a grey picture of 17x16 pixels, and for each pixel whether its right neighbour is brighter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIDE = 16
LOOK_BYTES = SIDE * SIDE // 8
# Measured on six datasets: of pictures saved again at half the size and JPEG quality 30, 95 in 100 differ in at most 19
# bits and all in at most 21; pictures of different scenes differ in 39 and more.
MAX_DIFFERENT_BITS = 20
# Candidates are looked for where one of the 16 bands of 16 bits is equal: always so for up to 15 different bits, and
# for 20 bits spread by chance in 99 of 100 pairs.
BAND_BYTES = 2
ROWS_AT_ONCE = 1024


def compute_look(grey_HW: NDArray[np.uint8]) -> bytes:
    """The look of an upright grey picture."""
    small_HW = cv2.resize(grey_HW, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small_HW[:, 1:] > small_HW[:, :-1]).tobytes()


def find_twins(looks: Sequence[bytes], among: Sequence[bytes]) -> dict[int, int]:
    """For those of `looks` that have a near-duplicate in `among`: their position -> that of one of them.

    Looks without any structure, such as an evenly coloured picture's, are like all of their kind and are left out.
    One twin is enough, so a fixed camera's thousands of equal pictures cost no more than others.
    """
    listed = [position for position, look in enumerate(among) if _has_structure(look)]
    first_of = {among[position]: position for position in reversed(listed)}
    twins = {position: first_of[look] for position, look in enumerate(looks) if look in first_of}
    waiting = [position for position, look in enumerate(looks) if position not in twins and _has_structure(look)]
    among_NB = _stack([among[position] for position in listed])
    for band in range(LOOK_BYTES // BAND_BYTES):
        found = _search_band(_stack([looks[position] for position in waiting]), among_NB, band)
        twins |= {waiting[row]: listed[other] for row, other in found.items()}
        waiting = [position for row, position in enumerate(waiting) if row not in found]
    return twins


def _has_structure(look: bytes) -> bool:
    return any(look) and bool(look.strip(b"\xff"))


def _stack(looks: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(looks), np.uint8).reshape(-1, LOOK_BYTES)


def _search_band(looks_MB: NDArray[np.uint8], among_NB: NDArray[np.uint8], band: int) -> dict[int, int]:
    """Row of `looks_MB` -> row of `among_NB` that differs in few bits, of those that are equal in this band."""
    keys_N = _band_keys(among_NB, band)
    order_N = np.argsort(keys_N, kind="stable")
    keys_M = _band_keys(looks_MB, band)
    starts_M = np.searchsorted(keys_N[order_N], keys_M, side="left")
    ends_M = np.searchsorted(keys_N[order_N], keys_M, side="right")
    found: dict[int, int] = {}
    for row in np.flatnonzero(ends_M > starts_M):
        twin = _find_similar(looks_MB[row], among_NB, order_N[starts_M[row] : ends_M[row]])
        if twin is not None:
            found[int(row)] = twin
    return found


def _band_keys(looks_NB: NDArray[np.uint8], band: int) -> NDArray[np.uint16]:
    return looks_NB[:, BAND_BYTES * band : BAND_BYTES * (band + 1)].copy().view(np.uint16).ravel()


def _find_similar(look_B: NDArray[np.uint8], among_NB: NDArray[np.uint8], rows_K: NDArray[np.intp]) -> int | None:
    for start in range(0, len(rows_K), ROWS_AT_ONCE):
        rows = rows_K[start : start + ROWS_AT_ONCE]
        is_similar = np.bitwise_count(among_NB[rows] ^ look_B).sum(axis=1) <= MAX_DIFFERENT_BITS
        if is_similar.any():
            return int(rows[np.argmax(is_similar)])
    return None
