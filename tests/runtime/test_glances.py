from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.bundle import open_bundle
from atrous.bundle.preprocessing import Fit, Step
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from atrous.runtime.engine import Engine
from atrous.runtime.glances import MIRRORED, MIRRORED_AND_SCALED, Glances, predict_glances
from atrous.runtime.loading import load_engine

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Glances(mirrored=False)
SIZE = Size(height=32, width=48)
CLASSES = 4


class Biased:
    """A network that sees colours in cells of 4 pixels, and background the more the further to the right."""

    def __init__(self, cell_px: int = 4) -> None:
        self.cell_px = cell_px
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, input_BCHW):
        self.shapes.append(input_BCHW.shape)
        batch, _, height, width = input_BCHW.shape
        cell = self.cell_px
        cells_BChw = input_BCHW.reshape(batch, 3, height // cell, cell, width // cell, cell).mean((3, 5))
        ramp_B1hw = np.broadcast_to(np.linspace(-1, 2, width // cell), cells_BChw[:, :1].shape)
        return np.concatenate([ramp_B1hw, cells_BChw], axis=1).astype(np.float32)


def make_engine(folder: Path, network: Biased | None = None, **steps) -> Engine:
    return Engine(open_bundle(make_bundle(folder / "colours", size=SIZE, **steps)), network or Biased())


def draw(height: int = 32, width: int = 48, seed: int = 0):
    blocks_HWC = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return cv2.resize(blocks_HWC, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("shape", [(32, 48), (45, 31), (90, 200)])
def test_one_glance_is_a_plain_prediction(tmp_path: Path, fit: Fit, shape: tuple[int, int]) -> None:
    engine = make_engine(tmp_path, fit=fit)
    image_HWC = draw(*shape)
    ours, theirs = predict_glances(engine, image_HWC, PLAIN), engine.predict(image_HWC)
    np.testing.assert_array_equal(ours.mask_HW, theirs.mask_HW)
    np.testing.assert_allclose(ours.confidence_HW, theirs.confidence_HW, atol=2e-5)  # a logarithm and its undoing


def find_probabilities(engine: Engine, image_HWC):
    logits_Khw, _ = engine.score(image_HWC, engine.bundle.preprocessing)
    powers_Khw = np.exp(logits_Khw.astype(np.float64))
    return powers_Khw / powers_Khw.sum(axis=0)


def test_the_mean_is_over_probabilities_of_the_picture_and_its_mirror_image(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, Biased(cell_px=1))
    image_HWC = draw()
    mirrored_Khw = find_probabilities(engine, image_HWC[:, ::-1])[..., ::-1]
    mean_Khw = (find_probabilities(engine, image_HWC) + mirrored_Khw) / 2
    prediction = predict_glances(engine, image_HWC, MIRRORED)
    np.testing.assert_array_equal(prediction.mask_HW, mean_Khw.argmax(axis=0))
    np.testing.assert_allclose(prediction.confidence_HW, mean_Khw.max(axis=0), atol=2e-5)
    assert not np.array_equal(prediction.mask_HW, engine.predict(image_HWC).mask_HW)


@pytest.mark.parametrize("glances", [MIRRORED, MIRRORED_AND_SCALED])
def test_a_mirrored_picture_gets_the_mirrored_answer(tmp_path: Path, glances: Glances) -> None:
    engine = make_engine(tmp_path)
    image_HWC = draw()
    answer, mirrored = (predict_glances(engine, one, glances) for one in (image_HWC, image_HWC[:, ::-1]))
    np.testing.assert_allclose(answer.confidence_HW, mirrored.confidence_HW[:, ::-1], atol=0.02)  # cells at odd places
    assert (answer.mask_HW == mirrored.mask_HW[:, ::-1]).mean() > 0.99


@pytest.mark.parametrize(("scale", "passes"), [(0.5, 1), (1.0, 1), (1.25, 4), (2.0, 4), (2.5, 9), (0.25, 1)])
def test_a_scale_is_seen_in_as_few_parts_of_the_networks_size_as_cover_it(
    tmp_path: Path, scale: float, passes: int
) -> None:
    network = Biased()
    engine = make_engine(tmp_path, network)
    asked = len(network.shapes)
    predict_glances(engine, draw(), Glances(mirrored=False, scales=(scale,)))
    seen = network.shapes[asked:]
    assert set(seen) == {(1, 3, 32, 48)}
    assert len(seen) == passes + 1  # one finds out how many cells the network has


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.25, 2.0, 3.0])
@pytest.mark.parametrize("fit", [Fit.STRETCH, Fit.LETTERBOX_GREY])
def test_classes_stay_where_they_are_at_every_scale(tmp_path: Path, scale: float, fit: Fit) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", size=Size(height=64, width=96), fit=fit))
    label_HW = np.array([[1, 2, 3, 0], [0, 1, 2, 3]], np.uint8).repeat(40, 0).repeat(40, 1)
    colours_BGR = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)
    mask_HW = predict_glances(engine, colours_BGR[label_HW], Glances(mirrored=True, scales=(scale,))).mask_HW
    inner_HW = cv2.erode(label_HW, np.ones((17, 17))) == cv2.dilate(label_HW, np.ones((17, 17)))
    np.testing.assert_array_equal(mask_HW[inner_HW], label_HW[inner_HW])


def test_crops_and_tiles_are_seen_as_ever(tmp_path: Path) -> None:
    image_HWC = draw(80, 120)
    for name, steps in (("crop", {"crop": StaticCrop(10, 20, 90, 80)}), ("tiles", {"tiles": Tiles(2, 2)})):
        engine = make_engine(tmp_path / name, **steps)
        ours, theirs = predict_glances(engine, image_HWC, PLAIN), engine.predict(image_HWC)
        np.testing.assert_array_equal(ours.mask_HW, theirs.mask_HW)
        skipped = {Step.STATIC_CROP, Step.TILE}
        ours, theirs = predict_glances(engine, image_HWC, PLAIN, skipped), engine.predict(image_HWC, skipped)
        np.testing.assert_array_equal(ours.mask_HW, theirs.mask_HW)


@pytest.mark.parametrize("scales", [(), (0.1,), (1.0, 9.0), (float("nan"),)])
def test_scales_that_cannot_be_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInputError, match="name one or more from"):
        Glances(scales=scales)
