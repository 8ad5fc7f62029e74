"""One file per inference library. `BACKENDS` names them; each opens a network as a plain function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from atrous.runtime.backends import onnx, openvino

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


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to run a network.

    Attributes:
        check: raises a MissingExtraError where the library or its device is missing.
        open_network: opens a file of weights so that one pass takes that many threads.
        gears_from: threads from which on it pays to open a network a second time, for passes on one thread each; None
            for a device that passes share as they come.
        joins: whether it takes several pictures in one pass.
    """

    check: Callable[[], None]
    open_network: Callable[[Path, int], Network]
    gears_from: int | None
    joins: bool


# ONNX Runtime on the CPU comes first: it is always there, and the others are measured against what it answers.
# With two callers on two cores its passes on one thread each took 13 % less processor time in float32 and 4 % less in 8
# bits; OpenVINO's took 4 % less and 3 % more, which is not worth a second network until one pass cannot fill the cores.
BACKENDS: dict[str, Backend] = {
    "onnx": Backend(onnx.check_cpu, onnx.open_onnx, gears_from=2, joins=True),
    "openvino": Backend(openvino.check, openvino.open_openvino, gears_from=4, joins=False),
    "onnx-cuda": Backend(onnx.check_cuda, onnx.open_cuda, gears_from=None, joins=True),
}
