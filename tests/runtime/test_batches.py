from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.layout import WEIGHTS_ONNX
from atrous.core.errors import InvalidBundleError
from atrous.runtime.backends import BACKENDS
from atrous.runtime.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# Far more than any step takes: only a hanging test waits so long.
LONG_S = 20
POISON = -1.0


def picture(number: float, side: int = 4) -> NDArray[np.float32]:
    return np.full((1, 3, side, side), number, np.float32)


class Doubling:
    """Doubles its input, counts the pictures of each pass, holds passes back while the gate is closed."""

    def __init__(self) -> None:
        self.passes: list[int] = []
        self.gate, self.entered = Event(), Event()

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        self.passes.append(len(input_BCHW))
        self.entered.set()
        assert self.gate.wait(LONG_S)
        if (input_BCHW == POISON).any():
            raise InvalidBundleError("no such number")
        return input_BCHW * 2


class QueuedBatches(Batches):
    """Tells when all callers of a test have queued."""

    def __init__(self, network: Doubling, max_batch: int, callers: int) -> None:
        super().__init__(network, max_batch)
        self._left, self._count = callers, Lock()
        self.all_queued = Event()

    def _wait_for_turn(self, seat):
        with self._count:
            self._left -= 1
            if self._left == 0:
                self.all_queued.set()
        return super()._wait_for_turn(seat)


def ask_while_one_runs(
    network: Doubling, inputs: Sequence[NDArray[np.float32]], max_batch: int
) -> list[Future[NDArray[np.float32]]]:
    """The first input's pass is held until all others have queued."""
    batches = QueuedBatches(network, max_batch, len(inputs))
    with ThreadPoolExecutor(len(inputs)) as callers:
        asked = [callers.submit(batches, inputs[0])]
        assert network.entered.wait(LONG_S)
        asked += [callers.submit(batches, one) for one in inputs[1:]]
        assert batches.all_queued.wait(LONG_S)
        network.gate.set()
    return asked


def test_what_queued_during_a_pass_is_joined_and_everyone_gets_their_own() -> None:
    network = Doubling()
    asked = ask_while_one_runs(network, [picture(number) for number in range(6)], 4)
    for number, answer in enumerate(asked):
        np.testing.assert_array_equal(answer.result(), picture(2 * number))
    assert network.passes == [1, 4, 1]


def test_who_is_alone_waits_for_nobody() -> None:
    network = Doubling()
    network.gate.set()
    batches = Batches(network, 8)
    for number in range(3):
        np.testing.assert_array_equal(batches(picture(number)), picture(2 * number))
    assert network.passes == [1, 1, 1]


def test_other_sizes_are_not_joined() -> None:
    network = Doubling()
    asked = ask_while_one_runs(network, [picture(1), picture(2, side=4), picture(3, side=8)], 8)
    assert sorted(answer.result().shape[-1] for answer in asked) == [4, 4, 8]
    assert network.passes == [1, 1, 1]


def test_batches_of_one_caller_keep_together_and_count_in_full() -> None:
    network = Doubling()
    pair = np.concatenate([picture(1), picture(2)])
    asked = ask_while_one_runs(network, [picture(0), pair, pair + 2, pair + 4], 4)
    np.testing.assert_array_equal(asked[2].result(), 2 * (pair + 2))
    assert network.passes == [1, 4, 2]


def test_an_error_goes_to_all_in_the_pass_and_to_nobody_else() -> None:
    network = Doubling()
    asked = ask_while_one_runs(network, [picture(0), picture(POISON), picture(2), picture(3)], 2)
    errors = [answer.exception() for answer in asked]
    assert errors[0] is None
    # Which two share a pass with whom depends on who queued first.
    failed = [error for error in errors if error is not None]
    assert 1 <= len(failed) <= 2
    assert all(isinstance(error, InvalidBundleError) for error in failed)


def test_a_real_network_answers_the_same_in_company(tmp_path: Path) -> None:
    network = BACKENDS["onnx"].open_network(make_bundle(tmp_path / "colours") / WEIGHTS_ONNX, 1)
    chance = np.random.default_rng(0)
    inputs = [chance.standard_normal((1, 3, 64, 64), np.float32) for _ in range(24)]
    with ThreadPoolExecutor(8) as callers:
        joined = list(callers.map(Batches(network, 4), inputs))
    for input_BCHW, logits_BKhw in zip(inputs, joined, strict=True):
        np.testing.assert_allclose(logits_BKhw, network(input_BCHW), atol=1e-5)


@pytest.mark.parametrize("max_batch", [1, 3])
def test_no_pass_is_larger_than_allowed(max_batch: int) -> None:
    network = Doubling()
    ask_while_one_runs(network, [picture(number) for number in range(10)], max_batch)
    assert max(network.passes) == max_batch
    assert sum(network.passes) == 10
