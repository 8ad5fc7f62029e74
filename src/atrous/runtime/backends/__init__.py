"""One file per inference library. `BACKENDS` names them; each opens a network as a plain function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from atrous.runtime.backends.onnx import open_onnx

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class Network(Protocol):
    """An open network; safe to call from several threads at once."""

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w] for a normalised batch."""
        ...


BACKENDS: dict[str, Callable[[Path, int], Network]] = {"onnx": open_onnx}
