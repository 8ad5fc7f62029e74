from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import CLASS_NAMES, make_bundle, rename_classes

from atrous.bundle.contrast import Contrast
from atrous.bundle.layout import WEIGHTS_ONNX
from atrous.bundle.preprocessing import TILE_STEPS, Fit, Step
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size
from atrous.evaluation.evaluate import evaluate
from atrous.runtime.loading import EngineOptions, load_engine

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RED, GREEN, BLUE, BLACK = (0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 0, 0)
# Pure colours score 10 against 5 for background and 0 for the two others.
SURE = 1 / (1 + np.exp(-5) + 2 * np.exp(-10))


def draw(colours_BGR: list[list[tuple[int, int, int]]], side_px: int) -> NDArray[np.uint8]:
    return np.array(colours_BGR, np.uint8).repeat(side_px, 0).repeat(side_px, 1)


def noise(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_colours_become_their_classes(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours"))
    prediction = engine.predict(draw([[RED, GREEN], [BLUE, BLACK]], 32))
    np.testing.assert_array_equal(prediction.mask_HW, np.array([[1, 2], [3, 0]]).repeat(32, 0).repeat(32, 1))
    # The normalisation and its undoing are rounded in float32 at scores of 10.
    np.testing.assert_allclose(prediction.confidence_HW[:32, :32], SURE, atol=1e-5)
    assert engine.bundle.class_map.names == CLASS_NAMES


EVERY_PIXEL = [fit for fit in Fit if fit is not Fit.CENTER_CROP]


@pytest.mark.parametrize("fit", EVERY_PIXEL)
@pytest.mark.parametrize("shape", [(200, 300), (300, 200), (17, 31), (64, 64), (1, 5), (500, 2)])
def test_the_mask_has_the_pictures_own_size(tmp_path: Path, shape: tuple[int, int], fit: Fit) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", fit=fit))
    image_HWC = np.full((*shape, 3), BLUE, np.uint8)
    prediction = engine.predict(image_HWC)
    np.testing.assert_array_equal(prediction.mask_HW, np.full(shape, 3))


@pytest.mark.parametrize("fit", EVERY_PIXEL)
def test_classes_stay_where_their_pixels_are(tmp_path: Path, fit: Fit) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", size=Size(height=96, width=48), fit=fit))
    mask_HW = engine.predict(draw([[RED, GREEN, BLUE], [BLACK, RED, GREEN]], 60)).mask_HW
    squares = mask_HW.reshape(2, 60, 3, 60).transpose(0, 2, 1, 3)
    for row, column in np.ndindex(2, 3):
        # A band of 8 pixels along each edge may belong to the neighbour after two resizes.
        inside = squares[row, column, 8:-8, 8:-8]
        np.testing.assert_array_equal(inside, [[1, 2, 3], [0, 1, 2]][row][column])


# Inputs that show a picture of 96 x 128 at half its size, or its middle as it is; a letterbox has odd rows to spare.
HALVES = {fit: Size(height=71, width=64) for fit in Fit} | {Fit.STRETCH: Size(height=48, width=64)}
HALVES[Fit.CENTER_CROP] = Size(height=58, width=144)


@pytest.mark.parametrize("crop", [None, (0, 0, 80, 80), (10, 20, 90, 100)], ids=str)
@pytest.mark.parametrize("fit", list(Fit))
def test_a_drawn_mask_comes_back_to_the_pixel(tmp_path: Path, fit: Fit, crop: tuple[int, int, int, int] | None) -> None:
    """Of 2 x 2 pixels of one class, halving makes one and doubling makes four again."""
    steps = {"crop": StaticCrop(*crop)} if crop else {}
    engine = load_engine(make_bundle(tmp_path / "colours", size=HALVES[fit], fit=fit, **steps))
    height, width, top, left = (120, 160, 120 * crop[1] // 100, 160 * crop[0] // 100) if crop else (96, 128, 0, 0)
    drawn_HW = np.random.default_rng(0).integers(0, 4, (height // 2, width // 2)).repeat(2, 0).repeat(2, 1)
    expected_HW = np.zeros_like(drawn_HW)
    # The center crop's input has 58 of the 96 rows, from the 19th on, and more columns than there are.
    rows = (19, 77) if fit is Fit.CENTER_CROP else (0, 96)
    seen = np.s_[top + rows[0] : top + rows[1], left : left + 128]
    expected_HW[seen] = drawn_HW[seen]
    prediction = engine.predict(np.array([BLACK, RED, GREEN, BLUE], np.uint8)[drawn_HW])
    np.testing.assert_array_equal(prediction.mask_HW, expected_HW)
    unseen_HW = np.ones(drawn_HW.shape, bool)
    unseen_HW[seen] = False
    np.testing.assert_array_equal(prediction.confidence_HW == 0, unseen_HW)


def test_grayscale_leaves_a_network_no_colour(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "grey", grayscale=True))
    image_HWC = np.full((64, 64, 3), GREEN, np.uint8)
    # Green is 0.587 of white's brightness, or 150 of 255, which each of the three colours now scores; background has 5.
    np.testing.assert_allclose(engine.predict(image_HWC).confidence_HW, 1 / (3 + np.exp(5 - 1500 / 255)), atol=1e-5)
    np.testing.assert_allclose(engine.predict(image_HWC, {Step.GRAYSCALE}).confidence_HW, SURE, atol=1e-5)


@pytest.mark.parametrize("contrast", list(Contrast))
def test_contrast_brings_out_what_is_dull(tmp_path: Path, contrast: Contrast) -> None:
    engine = load_engine(make_bundle(tmp_path / "dull", contrast=contrast))
    image_HWC = draw([[RED, BLACK], [BLACK, BLUE]], 32) // 3
    expected_HW = np.array([[1, 0], [0, 3]]).repeat(32, 0).repeat(32, 1)
    np.testing.assert_array_equal(engine.predict(image_HWC).mask_HW[8:24, 8:24], expected_HW[8:24, 8:24])
    np.testing.assert_array_equal(engine.predict(image_HWC).mask_HW[40:56, 40:56], expected_HW[40:56, 40:56])
    np.testing.assert_array_equal(engine.predict(image_HWC, [Step.CONTRAST]).mask_HW, 0)


@pytest.mark.parametrize("step", [Step.STATIC_CROP, Step.GRAYSCALE, Step.CONTRAST])
def test_a_skipped_step_is_as_if_the_bundle_had_it_not(tmp_path: Path, step: Step) -> None:
    fields = {Step.STATIC_CROP: "crop", Step.GRAYSCALE: "grayscale", Step.CONTRAST: "contrast"}
    steps = {"crop": StaticCrop(10, 20, 80, 70), "grayscale": True, "contrast": Contrast.HISTOGRAM}
    full = load_engine(make_bundle(tmp_path / "full", fit=Fit.LETTERBOX_GREY, **steps))
    del steps[fields[step]]
    less = load_engine(make_bundle(tmp_path / "less", fit=Fit.LETTERBOX_GREY, **steps))
    image_HWC = noise(90, 120, 0)
    skipping, without = full.predict(image_HWC, {step}), less.predict(image_HWC)
    np.testing.assert_array_equal(skipping.mask_HW, without.mask_HW)
    np.testing.assert_array_equal(skipping.confidence_HW, without.confidence_HW)
    assert (full.predict(image_HWC).confidence_HW != without.confidence_HW).any(), "the step makes a difference"


def test_labels_outside_a_crop_count_against_a_model_that_cannot_see_them(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "half", crop=StaticCrop(0, 0, 25, 100)))
    image_HWC, label_HW = np.full((40, 80, 3), RED, np.uint8), np.ones((40, 80), np.uint8)
    label_HW[:, 60:] = 0
    scored = evaluate([("a", image_HWC, label_HW)], engine.predict, engine.bundle.class_map, threshold=0.4)
    for counts_KK in (scored.plain_KK, scored.served_KK):
        assert counts_KK[1].tolist() == [40 * 40, 40 * 20, 0, 0]
        assert counts_KK[0].tolist() == [40 * 20, 0, 0, 0]


def test_a_picture_is_not_changed(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours"))
    image_HWC = noise(40, 50, 0)
    before = image_HWC.copy()
    engine.predict(image_HWC)
    np.testing.assert_array_equal(image_HWC, before)


def test_eight_threads_get_the_answers_that_one_gets(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", fit=Fit.LETTERBOX_GREY), EngineOptions(threads=1))
    pictures = [noise(30 + 7 * index, 200 - 9 * index, index) for index in range(16)]
    alone = [engine.predict(picture) for picture in pictures]
    start = threading.Barrier(8)

    def predict_all(offset: int) -> None:
        start.wait(timeout=30)
        for index in range(len(pictures)):
            place = (index + 2 * offset) % len(pictures)
            prediction = engine.predict(pictures[place])
            np.testing.assert_array_equal(prediction.mask_HW, alone[place].mask_HW)
            np.testing.assert_array_equal(prediction.confidence_HW, alone[place].confidence_HW)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(predict_all, offset) for offset in range(8)]:
            done.result(timeout=60)


def test_a_bundle_that_does_not_verify_is_not_loaded(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "colours")
    (folder / WEIGHTS_ONNX).write_bytes(b"other weights")
    with pytest.raises(InvalidBundleError, match=f"colours/{WEIGHTS_ONNX}: differs"):
        load_engine(folder)


def test_a_network_that_onnx_runtime_cannot_load_is_named(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "colours")
    (folder / WEIGHTS_ONNX).write_bytes(b"no network")
    rename_classes(folder, CLASS_NAMES)  # gives it a manifest that fits
    with pytest.raises(InvalidBundleError, match=WEIGHTS_ONNX):
        load_engine(folder)


@pytest.mark.parametrize("names", [CLASS_NAMES[:-1], (*CLASS_NAMES, "violet")])
def test_a_network_with_other_classes_than_the_bundle_names_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = make_bundle(tmp_path / "colours")
    rename_classes(folder, names)
    with pytest.raises(InvalidBundleError, match=f"{len(names)} classes"):
        load_engine(folder).predict(noise(8, 8, 0))


def test_tiles_are_predicted_one_by_one_and_put_together(tmp_path: Path) -> None:
    steps = {"crop": StaticCrop(0, 0, 50, 100), "contrast": Contrast.STRETCHING}
    engine = load_engine(make_bundle(tmp_path / "tiled", **steps, tiles=Tiles(rows=2, columns=3)))
    alone = load_engine(make_bundle(tmp_path / "alone", contrast=Contrast.STRETCHING))
    image_HWC = noise(50, 141, 1)
    prediction = engine.predict(image_HWC)
    for top, bottom in ((0, 25), (25, 50)):
        for left, right in ((0, 23), (23, 46), (46, 70)):
            expected = alone.predict(image_HWC[top:bottom, left:right])
            np.testing.assert_array_equal(prediction.mask_HW[top:bottom, left:right], expected.mask_HW)
            np.testing.assert_array_equal(prediction.confidence_HW[top:bottom, left:right], expected.confidence_HW)
    assert not prediction.mask_HW[:, 70:].any()
    assert not prediction.confidence_HW[:, 70:].any()


def test_a_tile_of_a_version_is_predicted_as_the_same_part_of_its_picture(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "tiled", tiles=Tiles(rows=2, columns=2)))
    image_HWC = noise(40, 60, 2)
    whole, part = engine.predict(image_HWC), engine.predict(image_HWC[20:, :30], TILE_STEPS)
    np.testing.assert_array_equal(whole.mask_HW[20:, :30], part.mask_HW)


def test_a_picture_smaller_than_its_grid_has_fewer_tiles(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "tiled", tiles=Tiles(rows=16, columns=16)))
    assert (engine.predict(np.full((1, 3, 3), RED, np.uint8)).mask_HW == 1).all()
