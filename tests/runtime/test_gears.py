from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidBundleError
from atrous.runtime.gears import Gears

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT = np.zeros((1, 3, 2, 2), np.float32)
WIDE, NARROW = 1.0, 2.0
# Far more than any step takes: only a hanging test waits so long.
LONG_S = 20
# One permit for each pass that has begun, whatever the network.
ENTERED = threading.Semaphore(0)


class Network:
    """Answers its own number, held back as long as the gate is closed."""

    def __init__(self, number: float) -> None:
        self.number = number
        self.gate = Event()
        self.gate.set()

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        ENTERED.release()
        assert self.gate.wait(LONG_S)
        return np.full_like(input_BCHW, self.number)


class Opener:
    def __init__(self, network: Network | None = None) -> None:
        self.network = network
        self.opened = 0

    def __call__(self) -> Network:
        self.opened += 1
        if self.network is None:
            raise InvalidBundleError("weights.onnx: cannot be loaded twice")
        return self.network


@pytest.fixture(autouse=True)
def no_pass_has_begun() -> None:
    while ENTERED.acquire(blocking=False):
        pass


def ask(gears: Gears) -> float:
    return float(gears(INPUT)[0, 0, 0, 0])


def ask_beside_another(gears: Gears, busy: Network) -> float:
    """The answer of a second caller, while the first one is in `busy`."""
    busy.gate.clear()
    with ThreadPoolExecutor(2) as callers:
        callers.submit(ask, gears)
        assert ENTERED.acquire(timeout=LONG_S)
        second = callers.submit(ask, gears)
        assert ENTERED.acquire(timeout=LONG_S)
        busy.gate.set()
        return second.result(LONG_S)


def wait_until_opened() -> None:
    for thread in threading.enumerate():
        if thread.name == "open-narrow":
            thread.join(LONG_S)


def test_who_is_alone_has_all_threads_and_nothing_else_is_opened() -> None:
    opener = Opener(Network(NARROW))
    gears = Gears(Network(WIDE), opener, 2)
    assert [ask(gears) for _ in range(3)] == [WIDE] * 3
    assert opener.opened == 0


def test_a_second_caller_finds_the_network_for_many_once_it_is_open() -> None:
    wide, opener = Network(WIDE), Opener(Network(NARROW))
    gears = Gears(wide, opener, 2)
    assert ask_beside_another(gears, wide) in {WIDE, NARROW}
    wait_until_opened()
    assert ask_beside_another(gears, wide) == NARROW
    assert ask(gears) == WIDE
    assert opener.opened == 1


def test_many_cores_serve_a_few_callers_on_all_threads() -> None:
    wide, opener = Network(WIDE), Opener(Network(NARROW))
    assert ask_beside_another(Gears(wide, opener, 8), wide) == WIDE
    assert opener.opened == 0


def test_a_network_that_cannot_be_opened_again_goes_on_alone() -> None:
    wide, opener = Network(WIDE), Opener()
    gears = Gears(wide, opener, 2)
    for _ in range(2):
        assert ask_beside_another(gears, wide) == WIDE
        wait_until_opened()
    assert opener.opened == 1


def test_a_pass_that_fails_counts_no_longer() -> None:
    class Broken:
        def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
            raise InvalidBundleError(f"cannot run on {input_BCHW.shape}")

    opener = Opener(Network(NARROW))
    gears = Gears(Broken(), opener, 2)
    for _ in range(3):
        with pytest.raises(InvalidBundleError):
            gears(INPUT)
    assert opener.opened == 0
