"""The network in 8 bits beside a bundle's own: made, tried out, and kept only where it scores as well.

Axes: C H W the network's input, K h w its logits.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from atrous.bundle.layout import WEIGHTS_INT8_ONNX, WEIGHTS_ONNX
from atrous.bundle.manifest import hash_files, read_manifest, write_manifest
from atrous.export.quantise import LAYERS, METHOD, calibrate, quantise
from atrous.runtime.backends.onnx import open_onnx

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import onnx
    from numpy.typing import NDArray

    from atrous.export.quantise import Calibrated

MAX_MIOU_LOSS = 0.01
# Contiguous parts of a network, each with as many layers; how many of them, the most harmful ones, each try leaves in
# float32.
PARTS = 8
FLOAT_PARTS = (0, 1, 2, 4)
JUDGED_PICTURES = 2
SHOWN_LENGTH = 200

Inputs: TypeAlias = "Generator[NDArray[np.float32]]"


@dataclass(frozen=True, slots=True)
class Int8:
    """What became of a bundle's network in 8 bits.

    Attributes:
        reason: why the bundle has none, as a sentence; empty if it has one.
        method: how the ranges of activations were found.
        pictures: how many they were found on, of the split train.
        tries: how many networks were scored.
        float_layers: the layers left in float32, by the names of their weights.
        miou: of the last try, by plain winner, 0 to 1.
        fp32_miou: of the network in float32, on the same pictures.
        bytes: size of the last try's file.
        fp32_bytes: size of the file in float32.
    """

    reason: str
    method: str = METHOD
    pictures: int = 0
    tries: int = 0
    float_layers: tuple[str, ...] = ()
    miou: float | None = None
    fp32_miou: float | None = None
    bytes: int | None = None
    fp32_bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return asdict(self)


def add_int8(
    folder: Path, read_inputs: Callable[[], Inputs], score: Callable[[Path], float | None], fp32_miou: float | None
) -> Int8:
    """Give a bundle a network in 8 bits if one loses at most `MAX_MIOU_LOSS`; the manifest tells either way.

    Where the whole network in 8 bits loses more, the parts that harm most are left in float32, more of them each time.
    Whatever goes wrong with it leaves the bundle as valid as it was.

    Args:
        folder: a bundle with its manifest.
        read_inputs: begins to read the inputs_CHW to calibrate on, one at a time.
        score: mIoU of a network's file by plain winner, as `fp32_miou` was computed.
        fp32_miou: of the bundle's own network.

    Raises:
        OSError: if the disk refuses the manifest.
    """
    path = folder / WEIGHTS_INT8_ONNX
    try:
        found = _make(folder / WEIGHTS_ONNX, path, read_inputs, score, fp32_miou)
    except Exception as error:  # noqa: BLE001  (a bundle without 8 bits is better than none, whatever a library raises)
        found = Int8(f"no network in 8 bits, as making it failed ({_name_error(error)}); the model answers in float32")
    if found.reason:
        path.unlink(missing_ok=True)
    write_manifest(folder, replace(read_manifest(folder), int8=found.as_json(), sha256=hash_files(folder)))
    return found


def _make(
    weights: Path,
    path: Path,
    read_inputs: Callable[[], Inputs],
    score: Callable[[Path], float | None],
    fp32_miou: float | None,
) -> Int8:
    if fp32_miou is None:
        return Int8("no network in 8 bits, as there is no mIoU in float32 to compare it with; label valid pictures")
    with closing(read_inputs()) as inputs_CHW:
        calibrated = calibrate(weights, inputs_CHW)
    if not set(_name_layers(calibrated.nodes)) - set(_name_layers(calibrated.input_nodes)):
        return Int8("no network in 8 bits, as it has one layer alone; the model answers in float32")
    found = Int8("", pictures=calibrated.pictures, fp32_miou=fp32_miou, fp32_bytes=weights.stat().st_size)
    harmful: list[list[onnx.NodeProto]] = []
    for tries, float_parts in enumerate(FLOAT_PARTS, start=1):
        if float_parts and not harmful:
            harmful = _rank_parts(weights, calibrated, read_inputs)
        left = calibrated.input_nodes + [node for part in harmful[:float_parts] for node in part]
        quantise(calibrated, path, [node.name for node in left])
        miou = score(path)
        found = replace(found, tries=tries, float_layers=_name_layers(left), miou=miou, bytes=path.stat().st_size)
        if miou is not None and fp32_miou - miou <= MAX_MIOU_LOSS:
            return found
    lost = "all" if found.miou is None else f"{100 * (fp32_miou - found.miou):.1f} points"
    return replace(
        found,
        reason=f"no network in 8 bits, as it loses {lost} of mIoU where {100 * MAX_MIOU_LOSS:g} may be lost; the model "
        "answers in float32",
    )


def _rank_parts(weights: Path, calibrated: Calibrated, read_inputs: Callable[[], Inputs]) -> list[list[onnx.NodeProto]]:
    """The parts of a network by how much each one alone in 8 bits changes the logits, most first."""
    with closing(read_inputs()) as read:
        inputs_CHW = list(islice(read, JUDGED_PICTURES))
    expected = _run(weights, inputs_CHW)
    harms: list[tuple[float, list[onnx.NodeProto]]] = []
    parts = _cut_parts(calibrated.nodes)
    inputs = {node.name for node in calibrated.input_nodes}
    with tempfile.TemporaryDirectory(prefix="atrous-int8-") as folder:
        alone = Path(folder, WEIGHTS_INT8_ONNX)
        for part in parts:
            names = {node.name for node in part} - inputs
            quantise(calibrated, alone, [node.name for node in calibrated.nodes if node.name not in names])
            pairs = zip(_run(alone, inputs_CHW), expected, strict=True)
            harms.append((float(np.mean([np.square(one - other).mean() for one, other in pairs])), part))
    return [part for _, part in sorted(harms, key=lambda harm: harm[0], reverse=True)]


def _cut_parts(nodes: Sequence[onnx.NodeProto]) -> list[list[onnx.NodeProto]]:
    """Cut before a layer, so that what follows a layer is in its part."""
    layers = sum(node.op_type in LAYERS for node in nodes)
    parts: list[list[onnx.NodeProto]] = [[] for _ in range(PARTS)]
    seen = 0
    for node in nodes:
        seen += node.op_type in LAYERS
        parts[max(0, seen - 1) * PARTS // max(1, layers)].append(node)
    return [part for part in parts if part]


def _run(weights: Path, inputs_CHW: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    network = open_onnx(weights, 0)
    return [network(input_CHW[None])[0] for input_CHW in inputs_CHW]


def _name_layers(nodes: Sequence[onnx.NodeProto]) -> tuple[str, ...]:
    """Each once, by the name of its weights."""
    names = (node.input[1].rpartition("network.")[2] for node in nodes if node.op_type in LAYERS)
    return tuple(dict.fromkeys(names))


def _name_error(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:SHOWN_LENGTH]
