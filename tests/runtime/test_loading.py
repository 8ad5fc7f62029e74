from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
from tests.fakes.bundles import make_bundle, rename_classes

from atrous.bundle.layout import WEIGHTS_INT8_ONNX, WEIGHTS_ONNX
from atrous.bundle.regions import Tiles
from atrous.core.errors import InvalidBundleError, InvalidInputError, MissingExtraError
from atrous.runtime import contest
from atrous.runtime.backends import BACKENDS
from atrous.runtime.loading import REPRODUCIBLE, EngineOptions, check_backend, load_engine

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("background", "red", "green", "blue")
IMAGE_HWC = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


def skip_without(backend: str) -> None:
    try:
        check_backend(backend)
    except MissingExtraError as error:
        pytest.skip(str(error))


def make_int8_bundle(folder: Path) -> Path:
    """A bundle whose second network happens to be as exact as the first."""
    make_bundle(folder)
    shutil.copy(folder / WEIGHTS_ONNX, folder / WEIGHTS_INT8_ONNX)
    rename_classes(folder, CLASSES)
    return folder


def test_unless_told_otherwise_any_bundle_is_loaded(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours"))
    assert (engine.backend, engine.quantization) == ("onnx", "fp32")


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_is_asked_for_answers_and_is_told(tmp_path: Path, backend: str, precision: str) -> None:
    skip_without(backend)
    folder = make_int8_bundle(tmp_path / "colours")
    engine = load_engine(folder, EngineOptions(precision=precision, backend=backend, threads=1))
    assert (engine.backend, engine.quantization) == (backend, precision)
    expected = load_engine(folder, REPRODUCIBLE).predict(IMAGE_HWC)
    np.testing.assert_array_equal(engine.predict(IMAGE_HWC).mask_HW, expected.mask_HW)


def test_scores_are_of_one_precision_and_one_library(tmp_path: Path) -> None:
    engine = load_engine(make_int8_bundle(tmp_path / "colours"), REPRODUCIBLE)
    assert (engine.backend, engine.quantization) == ("onnx", "fp32")


def test_8_bits_are_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundleError, match=r"colours: has no int8 weights; choose precision auto or fp32"):
        load_engine(make_bundle(tmp_path / "colours"), EngineOptions(precision="int8"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"precision": "fp16"}, "precision 'fp16': unknown; use one of auto, fp32, int8"),
        ({"backend": "torch"}, "backend 'torch': unknown; use one of auto, onnx, openvino"),
    ],
)
def test_what_there_is_not_is_told(options: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        EngineOptions(**options)


def test_of_all_ways_the_one_found_quickest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "ENOUGH_S", 0.0)
    monkeypatch.setattr(contest, "CLEARLY_QUICKER", 1000.0)
    skip_without("openvino")
    # Whatever comes last counts as clearly quicker, so all were opened, agreed and were timed.
    engine = load_engine(make_int8_bundle(tmp_path / "colours"), EngineOptions(threads=1))
    assert (engine.backend, engine.quantization) == ("openvino", "int8")


def test_auto_goes_without_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "ENOUGH_S", 0.0)
    monkeypatch.setattr(contest, "CLEARLY_QUICKER", 1000.0)
    monkeypatch.setitem(sys.modules, "openvino", None)
    engine = load_engine(make_int8_bundle(tmp_path / "colours"), EngineOptions(threads=1))
    assert (engine.backend, engine.quantization) == ("onnx", "int8")


def test_a_backend_that_was_asked_for_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match="OpenVINO is not installed"):
        load_engine(make_bundle(tmp_path / "colours"), EngineOptions(backend="openvino"))
    check_backend("auto")


@pytest.mark.parametrize("offered", [True, False])
def test_cuda_is_used_where_onnx_runtime_knows_it(monkeypatch: pytest.MonkeyPatch, offered: bool) -> None:
    known = ["CUDAExecutionProvider"] if offered else []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*known, "CPUExecutionProvider"])
    if offered:
        check_backend("onnx-cuda")
    else:
        with pytest.raises(MissingExtraError, match="install onnxruntime-gpu"):
            check_backend("onnx-cuda")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_cuda_that_is_promised_but_does_not_work_is_no_silent_cpu(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA may work here")
    with pytest.raises(InvalidBundleError, match="CUDA cannot be used"):
        BACKENDS["onnx-cuda"].open_network(make_bundle(tmp_path / "colours") / WEIGHTS_ONNX, 1)


def test_joined_pictures_are_answered_as_alone(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "colours")
    joined, alone = load_engine(folder, EngineOptions(max_batch=4)), load_engine(folder, REPRODUCIBLE)
    np.testing.assert_array_equal(joined.predict(IMAGE_HWC).mask_HW, alone.predict(IMAGE_HWC).mask_HW)


def test_a_network_for_one_picture_is_not_joined(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    onnx = pytest.importorskip("onnx")
    folder = make_bundle(tmp_path / "colours")
    network = onnx.load(folder / WEIGHTS_ONNX)
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(network, folder / WEIGHTS_ONNX)
    rename_classes(folder, CLASSES)
    engine = load_engine(folder, EngineOptions(max_batch=4))
    assert "each picture is run alone" in caplog.text
    assert engine.predict(IMAGE_HWC).mask_HW.shape == IMAGE_HWC.shape[:2]


def test_a_network_of_other_classes_is_found_out_at_once(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "colours")
    rename_classes(folder, CLASSES[:3])
    with pytest.raises(InvalidBundleError, match=r"has 3 classes; export the model again"):
        load_engine(folder)


def test_memory_grows_with_the_picture_and_with_those_side_by_side(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "colours")
    one, four = (load_engine(folder, EngineOptions(threads=threads)).memory_bytes for threads in (2, 4))
    input_bytes = 3 * 64 * 64 * 4
    assert four > one > input_bytes + (folder / WEIGHTS_ONNX).stat().st_size


def test_loading_a_model_of_many_tiles_takes_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_bundle(tmp_path / "tiled", tiles=Tiles(rows=16, columns=16))
    passes: list[int] = []

    def open_network(weights: Path, threads: int):
        network = opened(weights, threads)
        return lambda input_BCHW: passes.append(1) or network(input_BCHW)

    opened = BACKENDS["onnx"].open_network
    monkeypatch.setitem(
        BACKENDS, "onnx", type(BACKENDS["onnx"])(lambda: None, open_network, gears_from=None, joins=False)
    )
    load_engine(folder, REPRODUCIBLE)
    assert len(passes) == 1


def test_a_server_starts_without_any_inference_library() -> None:
    code = "import sys, atrous.server.app; print({'onnxruntime', 'openvino', 'numba', 'torch'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
