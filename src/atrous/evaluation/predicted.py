"""What is scored: a picture with its label, and what a model says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# name, image_HWC (BGR uint8), label_HW (class ids, 255 where void; the picture's own size)
Labelled: TypeAlias = "tuple[str, NDArray[np.uint8], NDArray[np.uint8]]"


class Predicted(Protocol):
    """What a model answers for one picture, before any threshold: class ids and confidence of the picture's size."""

    @property
    def mask_HW(self) -> NDArray[np.uint8]:
        """Class ids of the winners."""
        ...

    @property
    def confidence_HW(self) -> NDArray[np.float32]:
        """Probability of the winners, 0 to 1."""
        ...
