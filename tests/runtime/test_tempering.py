from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.manifest import MANIFEST
from atrous.core.errors import InvalidBundleError
from atrous.runtime.loading import EngineOptions, load_engine
from atrous.runtime.tempering import Recent
from atrous.runtime.tiling import Tiling

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.runtime.engine import Engine

IMAGE_HWC = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


def make_calibrated(folder: Path, temperature: object) -> Path:
    make_bundle(folder)
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"calibration": {"temperature": temperature}}))
    return folder


def load(folder: Path, *, calibrated: bool) -> Engine:
    return load_engine(folder, EngineOptions(precision="fp32", backend="onnx", threads=1, calibrated=calibrated))


@pytest.mark.parametrize("tiling", [None, Tiling(32)])
def test_a_calibrated_engine_gives_the_same_classes_less_sure(tmp_path: Path, tiling: Tiling | None) -> None:
    folder = make_calibrated(tmp_path / "colours", 2.0)
    plain = load(folder, calibrated=False).predict(IMAGE_HWC, tiling=tiling)
    calibrated = load(folder, calibrated=True).predict(IMAGE_HWC, tiling=tiling)
    np.testing.assert_array_equal(calibrated.mask_HW, plain.mask_HW)
    assert (calibrated.confidence_HW < plain.confidence_HW).all()


def test_confidence_is_the_softmax_of_divided_logits(tmp_path: Path) -> None:
    folder = make_calibrated(tmp_path / "colours", 4)
    engine = load(folder, calibrated=True)
    black_HWC = np.zeros((64, 64, 3), np.uint8)
    # Background scores 5 and each colour 0.
    expected = np.exp(5 / 4) / (np.exp(5 / 4) + 3)
    assert engine.predict(black_HWC).confidence_HW[20, 20] == pytest.approx(expected, abs=1e-5)
    assert engine.answer(black_HWC, 0.5).levels_HW[20, 20] == pytest.approx(255 * expected, abs=1)
    # The threshold is about the confidence that is answered.
    assert engine.answer(black_HWC, expected + 0.01).levels_HW.max() == 0


def test_unless_asked_for_a_temperature_changes_nothing(tmp_path: Path) -> None:
    plain = load_engine(make_bundle(tmp_path / "plain")).predict(IMAGE_HWC)
    told = load_engine(make_calibrated(tmp_path / "told", 3.0)).predict(IMAGE_HWC)
    np.testing.assert_array_equal(plain.confidence_HW, told.confidence_HW)


def test_a_bundle_without_a_temperature_is_served_as_it_is_and_the_log_tells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_bundle(tmp_path / "colours")
    calibrated = load(folder, calibrated=True).predict(IMAGE_HWC)
    np.testing.assert_array_equal(
        calibrated.confidence_HW, load(folder, calibrated=False).predict(IMAGE_HWC).confidence_HW
    )
    assert "colours: has no temperature, so its confidence stays as it is" in caplog.text


@pytest.mark.parametrize("told", [0, -1, "warm", float("nan"), float("inf"), True])
def test_a_temperature_that_is_none_is_refused(tmp_path: Path, told: object) -> None:
    folder = make_calibrated(tmp_path / "colours", told)
    with pytest.raises(InvalidBundleError, match="temperature of the calibration is no number above 0"):
        load(folder, calibrated=True)


def test_a_network_that_is_asked_the_same_again_answers_from_memory() -> None:
    asked: list[float] = []

    def network(input_BCHW: np.ndarray) -> np.ndarray:
        asked.append(float(input_BCHW.mean()))
        return input_BCHW * 2

    recent = Recent(network)
    ones, twos = np.ones((1, 3, 2, 2), np.float32), np.full((1, 3, 2, 2), 2, np.float32)
    answers = [float(recent(x).mean()) for x in (ones, ones.copy(), twos, twos, ones)]
    assert answers == [2, 2, 4, 4, 2]
    assert asked == [1, 2, 1]
