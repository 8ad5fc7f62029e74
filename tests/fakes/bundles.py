"""Real bundles with a network small enough to be read: one 1x1 convolution over the three channels.

Class 1 scores 10 times the red of a pixel (0 to 1), class 2 its green, class 3 its blue; background scores 5 always and
further classes never win. So pure red is class 1 with confidence 0.99, black is background, white is a tie of three.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atrous.bundle.bundle import write_configs
from atrous.bundle.layout import WEIGHTS_ONNX, WEIGHTS_TORCH
from atrous.bundle.manifest import FORMAT_VERSION, Manifest, hash_files, write_manifest
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from pathlib import Path

CLASS_NAMES = ("background", "red", "green", "blue")
SIZE = Size(height=64, width=64)
BACKGROUND_SCORE = 5.0
COLOUR_GAIN = 10.0
NEVER = -20.0


def make_bundle(
    folder: Path,
    *,
    class_names: tuple[str, ...] = CLASS_NAMES,
    size: Size = SIZE,
    fit: Fit = Fit.STRETCH,
    model_id: str = "road/1",
    seed: int = 0,
    **steps: Any,
) -> Path:
    """Write a bundle that verifies and give its folder.

    Args:
        folder: made if it is not there.
        class_names: background first.
        size: of the network's input.
        fit: how pictures are brought to that size.
        model_id: what the manifest says it was trained on.
        seed: bundles of different seeds differ in a hash.
        steps: further fields of its preprocessing.
    """
    onnx = pytest.importorskip("onnx", reason="needs the onnx package to write a network; pip install 'atrous[train]'")
    folder.mkdir(parents=True, exist_ok=True)
    preprocessing = Preprocessing(size=size, fit=fit, **steps)
    network = _make_network(onnx, preprocessing, len(class_names), seed)
    (folder / WEIGHTS_ONNX).write_bytes(network.SerializeToString())
    (folder / WEIGHTS_TORCH).write_bytes(f"no weights, seed {seed}".encode())
    write_configs(folder, ClassMap(class_names), preprocessing)
    write_manifest(folder, _make_manifest(folder, model_id))
    return folder


def damage_bundle(folder: Path) -> None:
    """Change one byte of the network, so that the bundle does not verify."""
    weights = folder / WEIGHTS_ONNX
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def rename_classes(folder: Path, class_names: tuple[str, ...]) -> None:
    """Give a bundle other class names under a manifest that fits, however many the network has."""
    (folder / "class_names.txt").write_text("\n".join(class_names), encoding="utf-8")
    model_id = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["model_id"]
    write_manifest(folder, _make_manifest(folder, model_id))


def _make_network(onnx, preprocessing: Preprocessing, class_count: int, seed: int):
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weights_KC, bias_K = _make_scores(preprocessing, class_count)
    height, width = preprocessing.size.height, preprocessing.size.width
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["logits"])],
        f"colours-{seed}",
        [helper.make_tensor_value_info("image", floats, ["batch", 3, height, width])],
        [helper.make_tensor_value_info("logits", floats, ["batch", class_count, height, width])],
        [
            onnx.numpy_helper.from_array(weights_KC[:, :, None, None], "weights"),
            onnx.numpy_helper.from_array(bias_K, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _make_scores(preprocessing: Preprocessing, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias that undo the normalisation, so that scores speak of colours from 0 to 1."""
    weights_KC = np.zeros((class_count, 3), np.float32)
    bias_K = np.full(class_count, NEVER, np.float32)
    bias_K[0] = BACKGROUND_SCORE
    for channel in range(min(3, class_count - 1)):
        weights_KC[channel + 1, channel] = COLOUR_GAIN * preprocessing.std_RGB[channel]
        bias_K[channel + 1] = COLOUR_GAIN * preprocessing.mean_RGB[channel]
    return weights_KC, bias_K


def _make_manifest(folder: Path, model_id: str) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        model_id=model_id,
        architecture="one 1x1 convolution",
        encoder="none",
        recipe={},
        version_hash="0" * 64,
        metrics={},
        parity={},
        software={},
        created="2026-01-01T00:00:00+00:00",
        sha256=hash_files(folder),
    )
