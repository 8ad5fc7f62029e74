from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.layout import WEIGHTS_ONNX
from atrous.core.errors import InvalidBundleError, MissingExtraError
from atrous.runtime.backends import BACKENDS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.runtime.backends import Network

OPENVINO = BACKENDS["openvino"]


def noise(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, 3, 64, 64), np.float32)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    try:
        OPENVINO.check()
    except MissingExtraError as error:
        pytest.skip(str(error))
    return make_bundle(tmp_path / "colours") / WEIGHTS_ONNX


@pytest.fixture
def network(weights: Path) -> Network:
    return OPENVINO.open_network(weights, 1)


@pytest.mark.parametrize("count", [1, 3])
def test_it_answers_as_onnx_runtime_does(weights: Path, network: Network, count: int) -> None:
    expected_BKhw = BACKENDS["onnx"].open_network(weights, 1)(noise(count))
    logits_BKhw = network(noise(count))
    assert logits_BKhw.dtype == np.float32
    np.testing.assert_allclose(logits_BKhw, expected_BKhw, atol=1e-4)


def test_callers_side_by_side_get_their_own_answers(weights: Path, network: Network) -> None:
    expected = BACKENDS["onnx"].open_network(weights, 1)
    inputs = [noise(1, seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(network, inputs))
    for input_BCHW, logits_BKhw in zip(inputs, answers, strict=True):
        np.testing.assert_allclose(logits_BKhw, expected(input_BCHW), atol=1e-4)


def test_a_picture_that_lies_otherwise_in_memory_is_seen_as_it_is(network: Network) -> None:
    turned_BCHW = noise(1).transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(network(turned_BCHW), network(np.ascontiguousarray(turned_BCHW)))


def test_another_size_than_the_networks_is_told(network: Network) -> None:
    with pytest.raises(InvalidBundleError, match=r"OpenVINO cannot run it on \[1, 3, 8, 8\]"):
        network(np.zeros((1, 3, 8, 8), np.float32))


def test_a_file_that_is_no_network_is_told(weights: Path) -> None:
    weights.write_bytes(b"no network")
    with pytest.raises(InvalidBundleError, match=r"weights\.onnx: OpenVINO cannot load it; choose backend onnx"):
        OPENVINO.open_network(weights, 1)


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r'pip install "atrous\[openvino\]"'):
        OPENVINO.check()


def test_nobody_is_told_that_it_was_imported(weights: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from atrous.runtime.backends import BACKENDS

BACKENDS["openvino"].open_network(Path({str(weights)!r}), 1)
print([name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_signal_after_models_came_and_went_is_handled(weights: Path) -> None:
    code = f"""
import gc, signal
from pathlib import Path
from atrous.runtime.backends import BACKENDS

signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
for _ in range(3):
    networks = [BACKENDS["openvino"].open_network(Path({str(weights)!r}), 1) for _ in range(2)]
    networks.pop(0)
    gc.collect()
    networks.pop()
    gc.collect()
signal.raise_signal(signal.SIGUSR1)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "handled")
