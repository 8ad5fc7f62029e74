from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size
from atrous.runtime import contest
from atrous.runtime.contest import Way, find_quickest, make_probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SIZE = Size(height=16, width=32)
JUDGE = Way("onnx", "fp32", Path("weights.onnx"))
RIVAL = Way("openvino", "fp32", Path("weights.onnx"))
INT8 = Way("onnx", "int8", Path("weights.int8.onnx"))


class Clock:
    """Time goes on while networks run, and only then."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(contest, "time", clock)
    return clock


class Network:
    def __init__(self, clock: Clock, pass_s: float, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]):
        self.clock, self.pass_s, self.change = clock, pass_s, change
        self.passes = 0

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        self.passes += 1
        self.clock.now_s += self.pass_s
        return self.change(10 * input_BCHW)


def same(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits


def slightly_off(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits * np.float32(1.05)


def find(networks: dict[Way, Network]) -> Way:
    return find_quickest(list(networks), JUDGE, networks.__getitem__, SIZE).way


def test_the_quickest_is_taken(clock: Clock) -> None:
    assert find({JUDGE: Network(clock, 0.05, same), RIVAL: Network(clock, 0.03, same)}) == RIVAL
    assert find({JUDGE: Network(clock, 0.03, same), RIVAL: Network(clock, 0.05, same)}) == JUDGE


def test_a_hair_of_difference_decides_nothing(clock: Clock) -> None:
    assert find({JUDGE: Network(clock, 0.050, same), RIVAL: Network(clock, 0.049, same)}) == JUDGE


@pytest.mark.parametrize(
    "wrong",
    [
        slightly_off,
        lambda logits: np.full_like(logits, np.nan),
        lambda logits: logits[:, :1],
        lambda logits: logits + np.float32(0.5),
    ],
    ids=["scaled", "not a number", "another shape", "shifted"],
)
def test_who_answers_otherwise_is_left_out_however_quick(
    clock: Clock, wrong: Callable[..., NDArray[np.float32]], caplog: pytest.LogCaptureFixture
) -> None:
    assert find({JUDGE: Network(clock, 0.05, same), RIVAL: Network(clock, 0.01, wrong)}) == JUDGE
    assert "openvino fp32 answers otherwise" in caplog.text


def test_eight_bits_may_differ_a_little(clock: Clock) -> None:
    assert find({JUDGE: Network(clock, 0.05, same), INT8: Network(clock, 0.02, slightly_off)}) == INT8


def test_eight_bits_may_not_answer_nonsense(clock: Clock) -> None:
    overflown = Network(clock, 0.02, lambda logits: np.clip(logits, -3, 3))
    assert find({JUDGE: Network(clock, 0.05, same), INT8: overflown}) == JUDGE


def test_if_nobody_is_left_it_is_said(clock: Clock) -> None:
    networks = {JUDGE: Network(clock, 0.05, same), INT8: Network(clock, 0.02, lambda logits: -logits)}
    with pytest.raises(InvalidBundleError, match=r"weights\.int8\.onnx: no backend of this machine runs it rightly"):
        find_quickest([INT8], JUDGE, networks.__getitem__, SIZE)


def test_who_cannot_be_opened_is_left_out(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def open_way(way: Way) -> Network:
        if way == RIVAL:
            raise InvalidBundleError("weights.onnx: OpenVINO cannot load it")
        return Network(clock, 0.05, same)

    assert find_quickest([JUDGE, RIVAL], JUDGE, open_way, SIZE).way == JUDGE
    assert "OpenVINO cannot load it" in caplog.text


def test_small_networks_are_not_worth_a_contest(clock: Clock) -> None:
    rival = Network(clock, 0.0001, same)
    assert find({JUDGE: Network(clock, 0.002, same), RIVAL: rival}) == JUDGE
    assert rival.passes == 0


def test_slow_networks_are_timed_a_few_times_only(clock: Clock) -> None:
    networks = {JUDGE: Network(clock, 3.0, same), RIVAL: Network(clock, 2.0, same)}
    assert find(networks) == RIVAL
    assert networks[RIVAL].passes <= 3


def test_the_log_tells_what_was_chosen_and_by_how_much(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    find({JUDGE: Network(clock, 0.05, same), RIVAL: Network(clock, 0.03, same)})
    assert "chosen: openvino fp32; a pass takes 50.0 ms by onnx fp32, 30.0 ms by openvino fp32" in caplog.text


def test_the_probe_is_the_same_each_time_and_looks_like_no_noise() -> None:
    probe_BCHW = make_probe(Size(height=64, width=64))
    np.testing.assert_array_equal(probe_BCHW, make_probe(Size(height=64, width=64)))
    assert probe_BCHW.shape == (1, 3, 64, 64)
    assert np.abs(np.diff(probe_BCHW, axis=3)).mean() < 0.3 * probe_BCHW.std()
