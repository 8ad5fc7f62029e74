"""OpenVINO on the CPU."""

from __future__ import annotations

import sys
from functools import cache
from queue import Empty, LifoQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atrous.core.cores import count_cores
from atrous.core.errors import InvalidBundleError, MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Float32 where the file says so, never bfloat16. Threads pinned to cores would meet those of other models and processes
# on the same cores, while others idle.
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}

# Two threads that load at once must not make two cores.
_opening = Lock()


class OpenVinoNetwork:
    """A network compiled for one picture, which is quicker than for any number; a batch is run one by one."""

    def __init__(self, compiled: Any, name: str) -> None:
        self._compiled = compiled
        self._name = name
        # One per caller at a time, made when they are needed. The last one used is the one still in the cache.
        self._requests: LifoQueue[Any] = LifoQueue()

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w]."""
        if len(input_BCHW) == 1:
            return self._infer(input_BCHW)
        return np.concatenate([self._infer(input_BCHW[i : i + 1]) for i in range(len(input_BCHW))])

    def _infer(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            request = self._requests.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        try:
            request.infer([np.ascontiguousarray(input_BCHW)], share_inputs=True)
        except Exception as error:
            raise InvalidBundleError(
                f"{self._name}: OpenVINO cannot run it on {list(input_BCHW.shape)}; choose backend onnx"
            ) from error
        # The next pass writes over the request's own memory.
        logits_BKhw = request.get_output_tensor(0).data.copy()
        self._requests.put(request)
        return logits_BKhw


def check() -> None:
    """Find out whether OpenVINO is installed.

    Raises:
        MissingExtraError: if it is not.
    """
    _runtime()


def open_openvino(weights: Path, threads: int) -> OpenVinoNetwork:
    """Load a network whose passes take `threads` threads each, and that runs as many side by side as there are cores.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        InvalidBundleError: if OpenVINO cannot load the file.
    """
    with _opening:
        core = _core()
    streams = max(1, count_cores() // threads)
    options = OPTIONS | {"INFERENCE_NUM_THREADS": threads * streams, "NUM_STREAMS": streams}
    try:
        model = core.read_model(str(weights))
        model.reshape([1, *list(model.inputs[0].partial_shape)[1:]])
        compiled = core.compile_model(model, "CPU", options)
    except Exception as error:
        raise InvalidBundleError(f"{weights.name}: OpenVINO cannot load it; choose backend onnx") from error
    return OpenVinoNetwork(compiled, weights.name)


@cache
def _core() -> Any:
    # One for the life of the process. The CPU plugin of each sets the alternate signal stack of the thread that makes
    # it, and when a second one goes, the thread is left with a stack that is freed: its next signal, such as Ctrl-C,
    # ends the process with a segmentation fault.
    return _runtime().Core()


def _runtime() -> Any:
    # OpenVINO tells its makers over the internet that it was imported, from a process that it forks. Where it does not
    # find the package that does so, it goes without.
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))
    try:
        import openvino  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            'backend openvino: OpenVINO is not installed; run pip install "atrous[openvino]", or choose backend onnx'
        ) from error
    return openvino
