from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

import onnxruntime  # noqa: E402
import segmentation_models_pytorch as smp  # noqa: E402
from tests.export.networks import (  # noqa: E402
    CELL_PX,
    INPUTS,
    PICTURES,
    PREPROCESSING,
    PROVENANCE,
    export,
    make_network,
)
from tests.fakes.datasets import CLASS_MAP, SIZE  # noqa: E402

from atrous.bundle.bundle import open_bundle  # noqa: E402
from atrous.bundle.layout import MANIFEST  # noqa: E402
from atrous.core.errors import InvalidBundleError  # noqa: E402
from atrous.core.sizes import Size  # noqa: E402
from atrous.export.bundle import record_metrics, write_bundle  # noqa: E402
from atrous.export.onnx import export_onnx  # noqa: E402
from atrous.export.parity import MAX_LOGIT_DIFFERENCE, compare_networks  # noqa: E402
from atrous.models.architectures import read_shape  # noqa: E402
from atrous.runtime.backends.onnx import open_onnx  # noqa: E402
from atrous.runtime.loading import load_engine  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.models.architectures import SegmentationNetwork


@dataclass(frozen=True)
class Exported:
    folder: Path
    network: SegmentationNetwork


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("export") / "bundle"
    network = make_network(seed=1)
    export(folder, network)
    return Exported(folder, network)


def answer(network: SegmentationNetwork, input_BCHW: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network.score(torch.from_numpy(input_BCHW)).numpy()


def test_a_bundle_verifies_and_tells_where_it_comes_from(exported: Exported) -> None:
    bundle = open_bundle(exported.folder)
    assert (bundle.class_map, bundle.preprocessing) == (CLASS_MAP, PREPROCESSING)
    manifest = bundle.manifest
    assert (manifest.model_id, manifest.version_hash) == ("road/1", PROVENANCE.version_hash)
    assert (manifest.architecture, manifest.encoder) == ("deeplabv3plus", "tu-test_resnet")
    assert {"torch", "onnxruntime", "atrous", "python"} <= manifest.software.keys()


def test_the_manifest_tells_how_far_onnx_differs_on_real_pictures(exported: Exported) -> None:
    parity = open_bundle(exported.folder).manifest.parity
    assert parity["pictures"] == len(PICTURES)
    assert 0 <= parity["mean_logit_difference"] <= parity["max_logit_difference"] <= MAX_LOGIT_DIFFERENCE
    assert parity["same_class_share"] >= 0.999


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_takes_any_batch_and_answers_as_torch(exported: Exported, batch: int) -> None:
    session = onnxruntime.InferenceSession(exported.folder / "weights.onnx", providers=["CPUExecutionProvider"])
    input_BCHW = np.stack(INPUTS[:batch])
    (logits_BKhw,) = session.run(None, {session.get_inputs()[0].name: input_BCHW})
    assert logits_BKhw.shape == (batch, len(CLASS_MAP), SIZE.height // CELL_PX, SIZE.width // CELL_PX)
    # Float32 sums in another order; logits are of the order of 1.
    np.testing.assert_allclose(logits_BKhw, answer(exported.network, input_BCHW), atol=1e-3)


def test_a_picture_that_the_decoders_grid_does_not_cover_is_scored_at_its_own_size(tmp_path: Path) -> None:
    network, size = make_network(seed=1), Size(height=SIZE.height + 1, width=SIZE.width + 2)
    export_onnx(network, size, tmp_path / "weights.onnx")
    input_BCHW = np.random.default_rng(0).normal(size=(1, 3, size.height, size.width)).astype(np.float32)
    logits_BKHW = open_onnx(tmp_path / "weights.onnx", 1)(input_BCHW)
    assert logits_BKHW.shape == (1, len(CLASS_MAP), size.height, size.width)
    np.testing.assert_allclose(logits_BKHW, answer(network, input_BCHW), atol=1e-3)


def test_the_engine_serves_what_torch_would_answer(exported: Exported) -> None:
    mask_HW = load_engine(exported.folder).predict(PICTURES[0]).mask_HW
    with torch.inference_mode():
        expected_HW = exported.network(torch.from_numpy(INPUTS[0][None]))[0].argmax(0).numpy()
    assert (mask_HW == expected_HW).mean() > 0.999  # a tie may fall either way


def test_weights_load_safely_and_strictly_into_the_plain_network(exported: Exported) -> None:
    weights = torch.load(exported.folder / "weights.pt", weights_only=True)
    plain = smp.DeepLabV3Plus(PROVENANCE.encoder, encoder_weights=None, classes=len(CLASS_MAP))
    plain.load_state_dict(weights, strict=True)
    own = exported.network.network.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in plain.state_dict().items())


def test_recorded_scores_leave_a_bundle_valid(exported: Exported) -> None:
    record_metrics(exported.folder, {"plain": {"mean_iou": 0.5}})
    assert open_bundle(exported.folder).manifest.metrics == {"plain": {"mean_iou": 0.5}}


def test_onnx_of_other_weights_is_refused(exported: Exported) -> None:
    network = open_onnx(exported.folder / "weights.onnx", 1)
    with pytest.raises(InvalidBundleError, match=r"differs from the trained network .* not published"):
        compare_networks(make_network(seed=2), network, INPUTS)


@pytest.mark.parametrize("wrong", [0.1, float("nan"), float("inf")])
def test_onnx_that_is_wrong_in_one_pixel_of_one_picture_is_refused(exported: Exported, wrong: float) -> None:
    answered = 0

    def answer_wrongly(input_BCHW: np.ndarray) -> np.ndarray:
        nonlocal answered
        answered += 1
        logits_BKHW = answer(exported.network, input_BCHW)
        if answered == 2:
            logits_BKHW = logits_BKHW.copy()
            logits_BKHW[0, 0, 5, 5] += wrong
        return logits_BKHW

    with pytest.raises(InvalidBundleError):
        compare_networks(exported.network, answer_wrongly, INPUTS)


def test_two_networks_of_one_answer_agree_exactly(exported: Exported) -> None:
    parity = compare_networks(exported.network, lambda input_BCHW: answer(exported.network, input_BCHW), INPUTS)
    assert (parity.pictures, parity.max_logit_difference, parity.same_class_share) == (3, 0.0, 1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_to_compare_on_is_no_agreement(exported: Exported) -> None:
    with pytest.raises(InvalidBundleError):
        compare_networks(exported.network, lambda input_BCHW: input_BCHW, [])


def test_weights_that_are_not_numbers_become_no_bundle(tmp_path: Path) -> None:
    network = make_network(seed=1)
    with torch.no_grad():
        network.network.segmentation_head[0].bias.fill_(float("nan"))
    with pytest.raises(InvalidBundleError):
        export(tmp_path / "bundle", network)
    assert not (tmp_path / "bundle" / MANIFEST).exists()


def test_a_disk_that_refuses_the_weights_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").mkdir()
    with pytest.raises(OSError, match=r"weights\.pt"):
        write_bundle(
            tmp_path,
            weights=make_network(seed=1).network.state_dict(),
            class_map=CLASS_MAP,
            preprocessing=PREPROCESSING,
            provenance=PROVENANCE,
            pictures_HWC=PICTURES,
        )
    assert not (tmp_path / MANIFEST).exists()


def test_the_shape_that_a_recipe_chose_is_exported(tmp_path: Path) -> None:
    choices = {"output_stride": 8, "pyramid_rate": 6, "norm": "group"}
    network = make_network(seed=3, shape=read_shape(choices))
    export(tmp_path / "bundle", network, recipe=choices)
    bundle = open_bundle(tmp_path / "bundle")
    # A rate or a stride changes no weight, so only the answers tell whether they were kept.
    assert bundle.manifest.parity["max_logit_difference"] <= MAX_LOGIT_DIFFERENCE
    exported = open_onnx(bundle.weights_onnx, 0)
    np.testing.assert_allclose(exported(INPUTS[0][None]), answer(network, INPUTS[0][None]), atol=1e-3)
    assert bundle.manifest.recipe == choices
