"""Networks seen through another one: with their logits divided, or with the last answer remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.runtime.backends import Network


class Tempered:
    """A network whose logits are divided by a temperature: the same winners, more or less sure.

    Args:
        network: what answers.
        temperature: above 0.
    """

    def __init__(self, network: Network, temperature: float) -> None:
        self._network = network
        self._temperature = np.float32(temperature)

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the divided logits [B, K, h, w]."""
        return self._network(input_BCHW) / self._temperature


class Recent:
    """A network that gives its last answer again if it is asked the same; for one thread.

    Two engines that look at a picture one after the other then cost one pass.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._input_BCHW: NDArray[np.float32] | None = None
        self._logits_BKhw: NDArray[np.float32] = np.empty((0, 0, 0, 0), np.float32)

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w]."""
        if self._input_BCHW is None or not np.array_equal(self._input_BCHW, input_BCHW):
            self._logits_BKhw = self._network(input_BCHW)
            self._input_BCHW = input_BCHW
        return self._logits_BKhw
