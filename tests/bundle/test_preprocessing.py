from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrous.bundle.preprocessing import Fit, Preprocessing, fit_image, fit_mask, normalise, place_picture
from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

LETTERBOXES = {Fit.LETTERBOX_BLACK: 0, Fit.LETTERBOX_GREY: 127, Fit.LETTERBOX_WHITE: 255}
CANVAS = Size(height=40, width=60)
sides_px = st.integers(1, 300)
sizes = st.builds(Size, height=sides_px, width=sides_px)
fits = st.sampled_from(list(Fit))


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_every_fit_is_tested() -> None:
    assert {Fit.STRETCH, *LETTERBOXES} == set(Fit)


@pytest.mark.parametrize("height_width", [(40, 60), (7, 300), (300, 7), (1, 1), (41, 59)])
def test_stretch_fills_the_whole_input(height_width: tuple[int, int]) -> None:
    image_HWC = noise(*height_width)
    preprocessing = Preprocessing(CANVAS, Fit.STRETCH)
    placement = place_picture(Size(*height_width), preprocessing)
    assert (placement.top, placement.left, placement.inner) == (0, 0, CANVAS)
    expected = cv2.resize(image_HWC, (60, 40), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(fit_image(image_HWC, preprocessing), expected)


# picture height and width -> top, left, inner height and width in the canvas of 40 x 60
PLACES = [
    ((40, 60), (0, 0, 40, 60)),
    ((80, 120), (0, 0, 40, 60)),
    ((80, 80), (0, 10, 40, 40)),
    ((30, 90), (10, 0, 20, 60)),
    ((9, 13), (0, 1, 40, 57)),  # 57.78 is truncated; the odd padding is larger on the right
    ((1, 1000), (19, 0, 1, 60)),  # 0.06 rows are still one
    ((1000, 1), (0, 29, 40, 1)),
]


@pytest.mark.parametrize(("picture", "place"), PLACES)
@pytest.mark.parametrize("fit", LETTERBOXES)
def test_a_letterbox_keeps_the_shape_and_stands_in_the_middle(
    picture: tuple[int, int], place: tuple[int, int, int, int], fit: Fit
) -> None:
    placement = place_picture(Size(*picture), Preprocessing(CANVAS, fit))
    assert (placement.top, placement.left, placement.inner.height, placement.inner.width) == place
    assert (placement.picture, placement.canvas) == (Size(*picture), CANVAS)


@pytest.mark.parametrize(("fit", "level"), LETTERBOXES.items())
def test_a_letterbox_is_padded_with_its_grey_level(fit: Fit, level: int) -> None:
    image_HWC = noise(80, 80)
    fitted_HWC = fit_image(image_HWC, Preprocessing(CANVAS, fit))
    assert fitted_HWC.shape == (40, 60, 3)
    np.testing.assert_array_equal(fitted_HWC[:, :10], level)
    np.testing.assert_array_equal(fitted_HWC[:, 50:], level)
    expected = cv2.resize(image_HWC, (40, 40), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(fitted_HWC[:, 10:50], expected)


@pytest.mark.parametrize("fit", LETTERBOXES)
def test_padding_of_a_mask_is_void(fit: Fit) -> None:
    fitted_HW = fit_mask(np.full((30, 90), 7, np.uint8), Preprocessing(CANVAS, fit))
    np.testing.assert_array_equal(fitted_HW[10:30], 7)
    np.testing.assert_array_equal(fitted_HW[:10], VOID_ID)
    np.testing.assert_array_equal(fitted_HW[30:], VOID_ID)


@given(picture=sizes, canvas=sizes, fit=fits)
@settings(max_examples=150, deadline=None)
def test_picture_and_mask_come_to_lie_at_the_same_place(picture: Size, canvas: Size, fit: Fit) -> None:
    preprocessing = Preprocessing(canvas, fit)
    placement = place_picture(picture, preprocessing)
    image_HWC = np.full((picture.height, picture.width, 3), 9, np.uint8)
    image_fitted, mask_fitted = fit_image(image_HWC, preprocessing), fit_mask(image_HWC[:, :, 0], preprocessing)
    expected = np.zeros((canvas.height, canvas.width), bool)
    expected[
        placement.top : placement.top + placement.inner.height, placement.left : placement.left + placement.inner.width
    ] = True
    assert expected.sum() == placement.inner.pixels, "the picture lies inside the canvas"
    np.testing.assert_array_equal((image_fitted == 9).all(axis=2), expected)
    np.testing.assert_array_equal(mask_fitted == 9, expected)


@given(picture=sizes, canvas=sizes, fit=fits)
@settings(max_examples=60, deadline=None)
def test_a_mask_gets_no_new_values(picture: Size, canvas: Size, fit: Fit) -> None:
    mask_HW = np.random.default_rng(0).choice(np.array([0, 3, 200, VOID_ID], np.uint8), (picture.height, picture.width))
    fitted_HW = fit_mask(mask_HW, Preprocessing(canvas, fit))
    assert set(np.unique(fitted_HW)) <= set(np.unique(mask_HW)) | {VOID_ID}


def test_a_mask_takes_the_pixel_at_its_centre() -> None:
    mask_HW = np.arange(36, dtype=np.uint8).reshape(6, 6)
    fitted_HW = fit_mask(mask_HW, Preprocessing(Size(height=2, width=2)))
    np.testing.assert_array_equal(fitted_HW, mask_HW[1::3, 1::3])


def test_the_input_is_rgb_minus_mean_over_deviation() -> None:
    image_HWC = noise(5, 7)
    preprocessing = Preprocessing(Size(height=5, width=7), mean_RGB=(0.1, 0.5, 0.9), std_RGB=(0.2, 0.3, 2.0))
    input_CHW = normalise(image_HWC, preprocessing)
    rgb_HWC = image_HWC[:, :, ::-1] / 255
    expected = ((rgb_HWC - preprocessing.mean_RGB) / preprocessing.std_RGB).transpose(2, 0, 1)
    assert input_CHW.dtype == np.float32
    assert input_CHW.flags.c_contiguous
    # Values reach 4.5, where float32 steps are 5e-7; two roundings.
    np.testing.assert_allclose(input_CHW, expected, atol=2e-6, rtol=0)


def test_imagenet_statistics_are_the_default() -> None:
    black = normalise(np.zeros((1, 1, 3), np.uint8), Preprocessing(Size(height=1, width=1)))
    np.testing.assert_allclose(black.ravel(), [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)


def test_pixels_that_are_a_view_are_taken_too() -> None:
    image_HWC = noise(10, 14)
    preprocessing = Preprocessing(Size(height=5, width=7))
    view_HWC = image_HWC[::2, ::2]
    np.testing.assert_array_equal(fit_image(view_HWC, preprocessing), view_HWC)
    expected = normalise(np.ascontiguousarray(view_HWC), preprocessing)
    np.testing.assert_array_equal(normalise(view_HWC, preprocessing), expected)
    np.testing.assert_array_equal(fit_mask(view_HWC[:, :, 1], preprocessing), view_HWC[:, :, 1])
