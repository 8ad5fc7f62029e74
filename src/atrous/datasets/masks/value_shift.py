"""The remedy for masks that count their classes from another number than their list does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from atrous.datasets.fixes import NO_FIXES, Fix, Fixes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = TypeVar("Values", np.uint8, np.uint16)
VOID_VALUE = 255


def shift_values(values_HW: NDArray[Values], fixes: Fixes) -> tuple[NDArray[Values], Fixes]:
    """Count from one less or one more; what is void stays void, and what falls below 0 becomes it."""
    if Fix.VALUES_MINUS_ONE in fixes:
        is_void_HW = (values_HW == 0) | (values_HW == VOID_VALUE)
        return np.where(is_void_HW, values_HW.dtype.type(VOID_VALUE), values_HW - 1), frozenset({Fix.VALUES_MINUS_ONE})
    if Fix.VALUES_PLUS_ONE in fixes:
        return np.where(values_HW == VOID_VALUE, values_HW, values_HW + 1), frozenset({Fix.VALUES_PLUS_ONE})
    return values_HW, NO_FIXES
