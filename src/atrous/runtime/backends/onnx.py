"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import onnxruntime

from atrous.core.errors import InvalidBundleError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class OnnxNetwork:
    """A session whose first input and first output are the network's."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        # The library's own types are partly missing.
        self._session: Any = session
        self._input: str = self._session.get_inputs()[0].name
        self._output: str = self._session.get_outputs()[0].name

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w]."""
        (logits_BKhw,) = self._session.run([self._output], {self._input: input_BCHW})
        return logits_BKhw


def open_onnx(weights: Path, threads: int) -> OnnxNetwork:
    """Load a network.

    Args:
        weights: an ONNX file.
        threads: threads of one pass; 0 takes every core.

    Raises:
        InvalidBundleError: if ONNX Runtime cannot load the file.
    """
    options = cast("Any", onnxruntime).SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Spinning worker threads starve decoding and encoding on small machines.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidBundleError(f"{weights.name}: ONNX Runtime cannot load it; export the model again") from error
    return OnnxNetwork(session)
