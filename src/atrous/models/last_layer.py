"""The layer that gives each class its score: what it is called, and changes of its rows.

Axes: K classes, C channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

# Of networks of segmentation-models-pytorch.
LAST_LAYER = "segmentation_head.0."
KERNEL = f"{LAST_LAYER}weight"
BIAS = f"{LAST_LAYER}bias"


def order_classes(weights: Mapping[str, Tensor], rows_K: Sequence[int]) -> dict[str, Tensor]:
    """Weights whose last layer has its classes in another order: row k is what was row `rows_K[k]`."""
    return {name: value[list(rows_K)] if name.startswith(LAST_LAYER) else value for name, value in weights.items()}


def shift_classes(weights: Mapping[str, Tensor], shift_K: Tensor) -> dict[str, Tensor]:
    """Weights of a network that adds so much to each class's logits, wherever it looks."""
    # Scores are enlarged by weighted means, which leave a constant as it is.
    return {name: value + shift_K.to(value) if name == BIAS else value for name, value in weights.items()}
