"""ONNX Runtime on the CPU, or on a GPU where the installed package knows CUDA."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidBundleError, MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# Full float32, as on the CPU; and no search for the quickest algorithm at each new size of batch, which takes seconds.
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
SESSION_ENTRIES = {
    # Worker threads that spin while they wait starve decoding and encoding.
    "session.intra_op.allow_spinning": "0",
    "session.use_env_allocators": "1",
}

_set_up_lock = Lock()


class OnnxNetwork:
    """A session whose first input and first output are the network's."""

    def __init__(self, session: Any, name: str) -> None:
        # The library's own types are partly missing.
        self._session = session
        self._name = name
        self._input: str = session.get_inputs()[0].name
        self._output: str = session.get_outputs()[0].name

    @property
    def providers(self) -> list[str]:
        """Where the session runs, by ONNX Runtime's names."""
        return self._session.get_providers()

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w]."""
        try:
            (logits_BKhw,) = self._session.run([self._output], {self._input: input_BCHW})
        except Exception as error:
            raise InvalidBundleError(
                f"{self._name}: ONNX Runtime cannot run it on {list(input_BCHW.shape)}; export the model again"
            ) from error
        return logits_BKhw


def check_cpu() -> None:
    """Do nothing: ONNX Runtime is no extra."""


def check_cuda() -> None:
    """Find out whether ONNX Runtime knows CUDA.

    Raises:
        MissingExtraError: if it does not.
    """
    if CUDA not in _runtime().get_available_providers():
        raise MissingExtraError(
            "backend onnx-cuda: the installed ONNX Runtime knows no CUDA; install onnxruntime-gpu in place of "
            "onnxruntime, or choose backend onnx"
        )


def open_onnx(weights: Path, threads: int) -> OnnxNetwork:
    """Load a network whose passes take `threads` threads each; with 1, the caller's own.

    Raises:
        InvalidBundleError: if ONNX Runtime cannot load the file.
    """
    return _open(weights, threads, [CPU])


def open_cuda(weights: Path, threads: int) -> OnnxNetwork:
    """Load a network on the first CUDA device.

    Raises:
        InvalidBundleError: if ONNX Runtime cannot load the file, or not there.
    """
    network = _open(weights, threads, [(CUDA, CUDA_OPTIONS), CPU])
    if CUDA not in network.providers:
        # ONNX Runtime itself goes on without a word.
        raise InvalidBundleError(f"{weights.name}: CUDA cannot be used; see that its libraries fit ONNX Runtime's")
    return network


def _open(weights: Path, threads: int, providers: list[Any]) -> OnnxNetwork:
    runtime = _runtime()
    _set_up()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    for entry, value in SESSION_ENTRIES.items():
        options.add_session_config_entry(entry, value)
    try:
        session = runtime.InferenceSession(str(weights), options, providers=providers)
    except Exception as error:
        raise InvalidBundleError(f"{weights.name}: ONNX Runtime cannot load it; export the model again") from error
    return OnnxNetwork(session, weights.name)


def _set_up() -> None:
    """Set up the library for this process, once."""
    with _set_up_lock:
        _silence_and_pool()


@cache
def _silence_and_pool() -> None:
    runtime = _runtime()
    # Builds for Windows tell their makers what is done with them.
    runtime.disable_telemetry_events()
    # One pool of memory for all networks: few run at a time, however many are open.
    of_cpu = runtime.OrtMemoryInfo("Cpu", runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, runtime.OrtMemType.DEFAULT)
    no_limit, grows_as_asked, library_default = 0, 1, -1
    runtime.create_and_register_allocator(
        of_cpu, runtime.OrtArenaCfg(no_limit, grows_as_asked, library_default, library_default)
    )


def _runtime() -> Any:
    # Needed by nobody who predicts nothing.
    import onnxruntime  # noqa: PLC0415

    return onnxruntime
