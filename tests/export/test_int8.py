from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

import onnx  # noqa: E402
from tests.export.networks import INPUTS, PICTURES, export, make_network  # noqa: E402

from atrous.bundle.bundle import open_bundle  # noqa: E402
from atrous.bundle.layout import MANIFEST, WEIGHTS_INT8_ONNX, WEIGHTS_ONNX  # noqa: E402
from atrous.export.int8 import MAX_MIOU_LOSS, add_int8  # noqa: E402
from atrous.runtime.backends.onnx import open_onnx  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FP32_MIOU = 0.5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "bundle"
    export(folder, make_network(seed=1))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A bundle that tells of no network in 8 bits."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in made.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def read_inputs() -> Generator[np.ndarray]:
    yield from INPUTS


@dataclass
class Scorer:
    """Gives each network the next of these scores, and keeps what is in 8 bits of it."""

    scores: list[float | None]
    layers: list[int] = field(default_factory=list)

    def __call__(self, weights: Path) -> float | None:
        graph = onnx.load(weights).graph
        held = {tensor.name: tensor.data_type for tensor in graph.initializer}
        convolved = [node for node in graph.node if node.op_type == "Conv"]
        self.layers.append(sum(held.get(node.input[1]) != onnx.TensorProto.FLOAT for node in convolved))
        return self.scores.pop(0)


def test_a_network_in_8_bits_that_scores_as_well_joins_the_bundle(folder: Path) -> None:
    found = add_int8(folder, read_inputs, Scorer([FP32_MIOU - MAX_MIOU_LOSS / 2]), FP32_MIOU)
    assert found.reason == ""
    bundle = open_bundle(folder)
    assert bundle.weights_int8_onnx is not None
    told = bundle.manifest.int8
    assert (told["miou"], told["fp32_miou"]) == (FP32_MIOU - MAX_MIOU_LOSS / 2, FP32_MIOU)
    assert told["bytes"] == (folder / WEIGHTS_INT8_ONNX).stat().st_size < 0.5 * told["fp32_bytes"]
    assert (told["pictures"], told["tries"]) == (len(PICTURES), 1)
    # The first layer sees the picture.
    assert told["float_layers"] == ["encoder.model.conv1.0.weight"]


def test_it_answers_any_batch_almost_as_the_network_it_came_from(folder: Path) -> None:
    add_int8(folder, read_inputs, Scorer([FP32_MIOU]), FP32_MIOU)
    batch = np.stack(INPUTS)
    expected_BKhw = open_onnx(folder / WEIGHTS_ONNX, 1)(batch)
    found_BKhw = open_onnx(folder / WEIGHTS_INT8_ONNX, 1)(batch)
    assert found_BKhw.shape == expected_BKhw.shape
    spread = float(expected_BKhw.max() - expected_BKhw.min())
    assert 0 < np.abs(found_BKhw - expected_BKhw).mean() < 0.05 * spread


def test_more_layers_are_left_in_float_until_it_scores_well_enough(folder: Path) -> None:
    scorer = Scorer([0.1, None, FP32_MIOU])
    found = add_int8(folder, read_inputs, scorer, FP32_MIOU)
    assert (found.reason, found.tries) == ("", 3)
    assert scorer.layers[0] > scorer.layers[1] > scorer.layers[2] > 0
    assert len(found.float_layers) == 1 + scorer.layers[0] - scorer.layers[2]


def test_one_that_never_scores_well_enough_is_not_kept(folder: Path) -> None:
    scorer = Scorer([FP32_MIOU - 1.01 * MAX_MIOU_LOSS] * 9)
    found = add_int8(folder, read_inputs, scorer, FP32_MIOU)
    assert found.reason == (
        "no network in 8 bits, as it loses 1.0 points of mIoU where 1 may be lost; the model answers in float32"
    )
    assert len(scorer.layers) == found.tries == 4
    bundle = open_bundle(folder)
    assert bundle.weights_int8_onnx is None
    assert bundle.manifest.int8["reason"] == found.reason
    assert not (folder / WEIGHTS_INT8_ONNX).exists()


def test_a_network_without_score_has_nothing_to_compare_with(folder: Path) -> None:
    found = add_int8(folder, read_inputs, Scorer([]), None)
    assert "no mIoU in float32" in found.reason
    assert open_bundle(folder).weights_int8_onnx is None


@pytest.mark.parametrize("breaks", ["calibration", "score", "picture"])
def test_whatever_breaks_leaves_the_bundle_as_it_was(folder: Path, breaks: str) -> None:
    def read() -> Generator[np.ndarray]:
        if breaks == "picture":
            raise OSError("a picture\ncannot be read")
        if breaks != "calibration":
            yield from INPUTS

    def score(weights: Path) -> float:
        raise MemoryError(f"{weights.name} is too much")

    before = json.loads((folder / MANIFEST).read_text())
    found = add_int8(folder, read, score, FP32_MIOU)
    assert found.reason.startswith("no network in 8 bits, as making it failed (")
    assert "\n" not in found.reason
    open_bundle(folder)
    assert json.loads((folder / MANIFEST).read_text()) == before | {"int8": json.loads(json.dumps(found.as_json()))}
    assert not (folder / WEIGHTS_INT8_ONNX).exists()


def test_the_same_pictures_give_the_same_file(folder: Path) -> None:
    add_int8(folder, read_inputs, Scorer([FP32_MIOU]), FP32_MIOU)
    first = (folder / WEIGHTS_INT8_ONNX).read_bytes()
    add_int8(folder, read_inputs, Scorer([FP32_MIOU]), FP32_MIOU)
    assert (folder / WEIGHTS_INT8_ONNX).read_bytes() == first
