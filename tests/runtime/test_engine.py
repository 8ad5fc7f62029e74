from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import CLASS_NAMES, make_bundle, rename_classes

from atrous.bundle.layout import WEIGHTS_ONNX
from atrous.bundle.preprocessing import Fit
from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size
from atrous.runtime.engine import load_engine

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


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("shape", [(200, 300), (300, 200), (17, 31), (64, 64), (1, 5), (500, 2)])
def test_the_mask_has_the_pictures_own_size(tmp_path: Path, shape: tuple[int, int], fit: Fit) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", fit=fit))
    image_HWC = np.full((*shape, 3), BLUE, np.uint8)
    prediction = engine.predict(image_HWC)
    np.testing.assert_array_equal(prediction.mask_HW, np.full(shape, 3))


@pytest.mark.parametrize("fit", list(Fit))
def test_classes_stay_where_their_pixels_are(tmp_path: Path, fit: Fit) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", size=Size(height=96, width=48), fit=fit))
    mask_HW = engine.predict(draw([[RED, GREEN, BLUE], [BLACK, RED, GREEN]], 60)).mask_HW
    squares = mask_HW.reshape(2, 60, 3, 60).transpose(0, 2, 1, 3)
    for row, column in np.ndindex(2, 3):
        # A band of 8 pixels along each edge may belong to the neighbour after two resizes.
        inside = squares[row, column, 8:-8, 8:-8]
        np.testing.assert_array_equal(inside, [[1, 2, 3], [0, 1, 2]][row][column])


def test_a_picture_is_not_changed(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours"))
    image_HWC = noise(40, 50, 0)
    before = image_HWC.copy()
    engine.predict(image_HWC)
    np.testing.assert_array_equal(image_HWC, before)


def test_eight_threads_get_the_answers_that_one_gets(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", fit=Fit.LETTERBOX_GREY), threads=1)
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
