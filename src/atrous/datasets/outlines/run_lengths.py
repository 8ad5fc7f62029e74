"""COCO's run lengths: down the columns of a picture, outside and inside by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.core.sizes import Size


class DamagedRunsError(Exception):
    """Run lengths that cannot be read; the text is the reason."""


def fill_runs(lengths: Sequence[int] | NDArray[np.int64], size: Size) -> NDArray[np.bool_]:
    """is_inside_HW from runs that add up to the picture."""
    is_inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(is_inside, lengths).reshape((size.height, size.width), order="F")


def expand_runs(text: str) -> list[int]:
    """Undo COCO's compression: 5 bits a character, low ones first, and differences to the run two before.

    Raises:
        DamagedRunsError: if the text is cut off or no such runs.

    Source: rleFrString in pycocotools' maskApi.c.
    """
    lengths: list[int] = []
    number = shift = 0
    for position, character in enumerate(text):
        code = _check_code(position, character)
        number |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                number -= 1 << shift
            lengths.append(number + (lengths[-2] if len(lengths) > 2 else 0))
            number = shift = 0
        elif shift > 30:
            raise DamagedRunsError("has damaged run lengths")
    if shift:
        raise DamagedRunsError("has run lengths that are cut off")
    return lengths


def _check_code(position: int, character: str) -> int:
    code = ord(character) - 48
    if not 0 <= code < 64:
        raise DamagedRunsError(f"has run lengths with a damaged character at position {position}")
    return code
