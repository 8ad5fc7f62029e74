"""A network in 8 bits, written beside the one it came from.

Weights become signed, per channel; activations unsigned, with ranges seen on real pictures. The file keeps to ONNX:
pairs of QuantizeLinear and DequantizeLinear (QDQ) around each layer, which a runtime fuses into integer arithmetic.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import onnx
import onnxruntime.quantization

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

# What ONNX Runtime and OpenVINO both have integer arithmetic for; the rest stays in float32.
OPERATORS = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Gemm",
    "GlobalAveragePool",
    "MatMul",
    "MaxPool",
    "Mul",
    "Relu",
    "Resize",
    "Sigmoid",
)
LAYERS = frozenset({"Conv", "Gemm", "MatMul"})
METHOD = "mean of the pictures' least and greatest values"
ort: Any = cast("Any", onnxruntime.quantization)


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A network in float32 and the range of each of its activations.

    Attributes:
        model: optimised, its shapes inferred, each node with a name of its own.
        ranges: as ONNX Runtime's calibration gives them.
        pictures: how many they were seen on.
    """

    model: onnx.ModelProto
    ranges: Any
    pictures: int

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """In the order they are computed."""
        return list(self.model.graph.node)

    @property
    def input_nodes(self) -> list[onnx.NodeProto]:
        """Those that see the picture; best left in float32, as one scale fits its three colours badly, at no cost."""
        return [node for node in self.nodes if self.model.graph.input[0].name in node.input]


def calibrate(weights: Path, inputs_CHW: Iterable[NDArray[np.float32]]) -> Calibrated:
    """Run a network on normalised pictures and keep the range of each activation.

    A range is the mean of the pictures' least values to the mean of their greatest, so that one odd picture does not
    coarsen the steps of all others. Only extremes are kept of each picture, so memory does not grow with them.

    Args:
        weights: a network in float32 whose input is [B, 3, H, W].
        inputs_CHW: read once, one at a time; at least one.

    Raises:
        Exception: whatever ONNX Runtime's quantiser has against this network.
    """
    with tempfile.TemporaryDirectory(prefix="atrous-int8-") as folder:
        prepared = Path(folder, "prepared.onnx")
        ort.quant_pre_process(str(weights), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        _name_nodes(model)
        onnx.save(model, prepared)
        calibrator = ort.create_calibrator(
            prepared,
            list(OPERATORS),
            augmented_model_path=str(Path(folder, "observed.onnx")),
            calibrate_method=ort.CalibrationMethod.MinMax,
            extra_options={"moving_average": True},
        )
        pictures = _Pictures(model.graph.input[0].name, iter(inputs_CHW))
        calibrator.collect_data(pictures)
        return Calibrated(model, calibrator.compute_data(), pictures.given)


def quantise(calibrated: Calibrated, path: Path, float_nodes: Collection[str] = ()) -> None:
    """Write a calibrated network in 8 bits, some of its nodes left in float32.

    Args:
        calibrated: is not changed.
        path: overwritten.
        float_nodes: names of nodes.

    Raises:
        Exception: whatever ONNX Runtime's quantiser has against this network.
        OSError: if the disk refuses.
    """
    model = onnx.ModelProto()
    model.CopyFrom(calibrated.model)
    quantizer = ort.QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=ort.QuantType.QInt8,
        activation_qType=ort.QuantType.QUInt8,
        tensors_range=calibrated.ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=list(float_nodes),
        op_types_to_quantize=list(OPERATORS),
        extra_options={},
    )
    quantizer.quantize_model()
    path.write_bytes(quantizer.model.model.SerializeToString())


class _Pictures:
    """What ONNX Runtime's calibration asks for the next input."""

    def __init__(self, name: str, inputs_CHW: Iterator[NDArray[np.float32]]) -> None:
        self._name, self._inputs_CHW = name, inputs_CHW
        self.given = 0

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        input_CHW = next(self._inputs_CHW, None)
        if input_CHW is None:
            return None
        self.given += 1
        return {self._name: input_CHW[None]}


def _name_nodes(model: onnx.ModelProto) -> None:
    for number, node in enumerate(model.graph.node):
        node.name = f"{number}_{node.op_type}"
