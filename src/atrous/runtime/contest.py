"""Ways to run a network, each timed on this machine, so that the quickest that answers rightly is taken."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.core.errors import AtrousError, InvalidBundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.runtime.backends import Network

logger = logging.getLogger(__name__)

# Where a pass takes less, the rest of an answer takes longer and a contest is not worth its time.
ENOUGH_S = 0.003
LEAST_ROUNDS, MOST_ROUNDS, CONTEST_S = 2, 5, 1.0
# A way must be that much quicker than those named before it, so that chance does not decide.
CLEARLY_QUICKER = 0.9
# Of logits, in units of their own spread if that is larger than 1.
SAME_NUMBERS = 1e-2
# Of an 8-bit network's errors, in units of the spread of the logits: ten times what a good one shows, and well below
# what comes of sums that overflow, as they do on processors without instructions for 8 bits.
SAME_SENSE = 0.3
DETAIL_PX = 16


@dataclass(frozen=True, slots=True)
class Way:
    """A backend by its name, and the file and precision of the weights that it is to run."""

    backend: str
    quantization: str
    weights: Path

    def __str__(self) -> str:
        """As people read it in a log."""
        return f"{self.backend} {self.quantization}"


@dataclass(slots=True)
class Runner:
    """A way with its network open, and the seconds of its passes."""

    way: Way
    network: Network
    seconds: list[float] = field(default_factory=list[float])

    @property
    def pass_s(self) -> float:
        """Median seconds of a pass."""
        return median(self.seconds)


def find_quickest(ways: Sequence[Way], judge: Way, open_way: Callable[[Way], Network], size: Size) -> Runner:
    """Open all ways, leave out those that fail or answer otherwise than the judge, and give the quickest.

    Args:
        ways: the preferred ones first; a later one must be clearly quicker.
        judge: the way whose answers are right.
        open_way: opens a network.
        size: of the network's input.

    Raises:
        InvalidBundleError: if the judge cannot be opened, or no way is left.
    """
    input_BCHW = make_probe(size)
    umpire = Runner(judge, open_way(judge))
    right_BKhw = umpire.network(input_BCHW)
    if judge in ways and any(_time_pass(umpire, input_BCHW) < ENOUGH_S for _ in range(LEAST_ROUNDS)):
        return umpire
    runners = [umpire if way == judge else _enter(way, open_way, input_BCHW, right_BKhw) for way in ways]
    fit = [runner for runner in runners if runner is not None]
    if not fit:
        raise InvalidBundleError(
            f"{ways[0].weights.name}: no backend of this machine runs it rightly; choose another precision or backend"
        )
    _race(fit, input_BCHW)
    quickest = fit[0]
    for runner in fit[1:]:
        if runner.pass_s < CLEARLY_QUICKER * quickest.pass_s:
            quickest = runner
    logger.info("chosen: %s; a pass takes %s", quickest.way, ", ".join(_tell(runner) for runner in fit))
    return quickest


def make_probe(size: Size) -> NDArray[np.float32]:
    """A normalised picture [1, 3, H, W] of soft spots and a little noise, the same each time.

    Networks answer pure noise by chance, where the smallest error turns the answer.
    """
    chance = np.random.default_rng(0)
    coarse = (size.height // DETAIL_PX + 1, size.width // DETAIL_PX + 1, 3)
    spots_HWC = cv2.resize(chance.standard_normal(coarse, np.float32), (size.width, size.height))
    noise_HWC = chance.standard_normal((size.height, size.width, 3), np.float32)
    return np.ascontiguousarray((spots_HWC + 0.1 * noise_HWC).transpose(2, 0, 1)[None])


def _enter(
    way: Way, open_way: Callable[[Way], Network], input_BCHW: NDArray[np.float32], right_BKhw: NDArray[np.float32]
) -> Runner | None:
    try:
        network = open_way(way)
        logits_BKhw = network(input_BCHW)
    except AtrousError as error:
        logger.warning("left out: %s: %s", way, error)
        return None
    if not _agrees(logits_BKhw, right_BKhw, is_exact=way.quantization == "fp32"):
        logger.warning("left out: %s answers otherwise than the float32 network in ONNX Runtime", way)
        return None
    return Runner(way, network)


def _agrees(logits_BKhw: NDArray[np.float32], right_BKhw: NDArray[np.float32], *, is_exact: bool) -> bool:
    if logits_BKhw.shape != right_BKhw.shape or not np.isfinite(logits_BKhw).all():
        return False
    error_BKhw, spread = logits_BKhw - right_BKhw, float(right_BKhw.std())
    if is_exact:
        return float(np.abs(error_BKhw).max()) <= SAME_NUMBERS * max(1.0, spread)
    return float(error_BKhw.std()) <= SAME_SENSE * spread


def _race(runners: Sequence[Runner], input_BCHW: NDArray[np.float32]) -> None:
    """Time passes in turns, so that what else the machine does meets all alike."""
    started_s = time.perf_counter()
    for round_number in range(MOST_ROUNDS):
        if round_number >= LEAST_ROUNDS and time.perf_counter() - started_s > CONTEST_S:
            return
        for runner in runners:
            _time_pass(runner, input_BCHW)


def _time_pass(runner: Runner, input_BCHW: NDArray[np.float32]) -> float:
    started_s = time.perf_counter()
    runner.network(input_BCHW)
    runner.seconds.append(time.perf_counter() - started_s)
    return runner.seconds[-1]


def _tell(runner: Runner) -> str:
    return f"{runner.pass_s * 1000:.1f} ms by {runner.way}"
