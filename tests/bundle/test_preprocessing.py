from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bundle import obvious

from atrous.bundle.contrast import Contrast, raise_contrast
from atrous.bundle.preprocessing import (
    Fit,
    Preprocessing,
    Step,
    fit_image,
    fit_mask,
    normalise,
    place_picture,
    skip_steps,
)
from atrous.bundle.regions import Region, StaticCrop, Tiles
from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

LETTERBOXES = {Fit.LETTERBOX_BLACK: 0, Fit.LETTERBOX_GREY: 127, Fit.LETTERBOX_WHITE: 255, Fit.FIT_WITHIN: 0}
PADDED = [*LETTERBOXES, Fit.LETTERBOX_REFLECT]
CANVAS = Size(height=40, width=60)
sides_px = st.integers(1, 300)
sizes = st.builds(Size, height=sides_px, width=sides_px)
fits = st.sampled_from(list(Fit))


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("height_width", [(40, 60), (7, 300), (300, 7), (1, 1), (41, 59)])
def test_stretch_fills_the_whole_input(height_width: tuple[int, int]) -> None:
    image_HWC = noise(*height_width)
    preprocessing = Preprocessing(CANVAS, Fit.STRETCH)
    placement = place_picture(Size(*height_width), preprocessing)
    assert placement.inner == Region(0, 0, CANVAS)
    assert placement.window == Region(0, 0, Size(*height_width))
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
@pytest.mark.parametrize("fit", PADDED)
def test_a_letterbox_keeps_the_shape_and_stands_in_the_middle(
    picture: tuple[int, int], place: tuple[int, int, int, int], fit: Fit
) -> None:
    placement = place_picture(Size(*picture), Preprocessing(CANVAS, fit))
    top, left, height, width = place
    assert placement.inner == Region(top, left, Size(height=height, width=width))
    assert placement.window == Region(0, 0, Size(*picture))
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


@pytest.mark.parametrize("fit", PADDED)
def test_padding_of_a_mask_is_void(fit: Fit) -> None:
    fitted_HW = fit_mask(np.full((30, 90), 7, np.uint8), Preprocessing(CANVAS, fit))
    np.testing.assert_array_equal(fitted_HW[10:30], 7)
    np.testing.assert_array_equal(fitted_HW[:10], VOID_ID)
    np.testing.assert_array_equal(fitted_HW[30:], VOID_ID)


# picture height and width -> the window's top and left, where it stands in the canvas of 40 x 60, and its size
CENTERED = [
    ((40, 60), (0, 0), (0, 0), (40, 60)),
    ((100, 101), (30, 20), (0, 0), (40, 60)),
    ((11, 20), (0, 0), (14, 20), (11, 20)),  # 29 rows of padding: 14 above, 15 below
    ((90, 21), (25, 0), (0, 19), (40, 21)),
]


@pytest.mark.parametrize(("picture", "window", "inner", "size"), CENTERED)
def test_a_center_crop_changes_no_scale(
    picture: tuple[int, int], window: tuple[int, int], inner: tuple[int, int], size: tuple[int, int]
) -> None:
    image_HWC = noise(*picture)
    fitted_HWC = fit_image(image_HWC, Preprocessing(CANVAS, Fit.CENTER_CROP))
    placement = place_picture(Size(*picture), Preprocessing(CANVAS, Fit.CENTER_CROP))
    assert placement.window == Region(*window, Size(*size))
    assert placement.inner == Region(*inner, Size(*size))
    expected = np.zeros((40, 60, 3), np.uint8)
    expected[placement.inner.slices] = image_HWC[placement.window.slices]
    np.testing.assert_array_equal(fitted_HWC, expected)


def test_a_reflecting_letterbox_shows_the_picture_mirrored_at_its_edges() -> None:
    image_HWC = noise(40, 20)
    fitted_HWC = fit_image(image_HWC, Preprocessing(CANVAS, Fit.LETTERBOX_REFLECT))
    np.testing.assert_array_equal(fitted_HWC[:, 20:40], image_HWC)
    np.testing.assert_array_equal(fitted_HWC[:, :20], image_HWC[:, ::-1])
    np.testing.assert_array_equal(fitted_HWC[:, 40:], image_HWC[:, ::-1])


@pytest.mark.parametrize(
    ("crop", "window"),
    [
        ((0, 0, 50, 50), (0, 0, 40, 60)),
        ((25, 10, 75, 100), (8, 30, 72, 60)),
        ((33, 66, 34, 67), (52, 39, 1, 1)),  # 52.8 to 53.6 rows, 39.6 to 40.8 columns
        ((99, 99, 100, 100), (79, 118, 1, 2)),
        ((0, 0, 100, 100), (0, 0, 80, 120)),
    ],
)
def test_a_crop_is_cut_off_to_whole_pixels(crop: tuple[int, int, int, int], window: tuple[int, int, int, int]) -> None:
    image_HWC = noise(80, 120)
    top, left, height, width = window
    placement = place_picture(Size(80, 120), Preprocessing(CANVAS, crop=StaticCrop(*crop)))
    assert placement.window == Region(top, left, Size(height=height, width=width))
    preprocessing = Preprocessing(Size(height=height, width=width), crop=StaticCrop(*crop))
    fitted_HWC = fit_image(image_HWC, preprocessing)
    np.testing.assert_array_equal(fitted_HWC, image_HWC[top : top + height, left : left + width])


def test_a_picture_too_small_for_its_crop_keeps_a_pixel() -> None:
    preprocessing = Preprocessing(CANVAS, crop=StaticCrop(90, 90, 95, 95))
    assert place_picture(Size(height=1, width=3), preprocessing).window == Region(0, 2, Size(height=1, width=1))
    assert fit_image(noise(1, 3), preprocessing).shape == (40, 60, 3)


@st.composite
def crops(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x_min, y_min = draw(st.integers(0, 99)), draw(st.integers(0, 99))
    return x_min, y_min, draw(st.integers(x_min + 1, 100)), draw(st.integers(y_min + 1, 100))


small_px = st.integers(1, 24)
small_sizes = st.tuples(small_px, small_px)


@given(picture=small_sizes, canvas=small_sizes, fit=fits, crop=st.none() | crops(), seed=st.integers(0, 99))
@settings(max_examples=120, deadline=None)
def test_every_pixel_of_the_input_is_what_the_obvious_way_finds(
    picture: tuple[int, int],
    canvas: tuple[int, int],
    fit: Fit,
    crop: tuple[int, int, int, int] | None,
    seed: int,
) -> None:
    preprocessing = Preprocessing(Size(*canvas), fit, crop=StaticCrop(*crop) if crop else None)
    axes = obvious.place(picture, canvas, fit.value, crop)
    placement = place_picture(Size(*picture), preprocessing)
    assert placement.window == Region(axes[0].start, axes[1].start, Size(height=axes[0].seen, width=axes[1].seen))
    assert placement.inner == Region(axes[0].before, axes[1].before, Size(height=axes[0].inner, width=axes[1].inner))
    rng = np.random.default_rng(seed)
    image_HWC = rng.integers(0, 256, (*picture, 3), dtype=np.uint8)
    # OpenCV's weights have 11 bits, and the result is rounded.
    expected_HWC = obvious.fit_image(image_HWC, axes, fit.value)
    np.testing.assert_allclose(fit_image(image_HWC, preprocessing), expected_HWC, atol=1, rtol=0)
    mask_HW = rng.integers(0, 255, picture, dtype=np.uint8)
    expected_HW = obvious.fit_mask(mask_HW, axes)
    decided_HW = expected_HW >= 0
    np.testing.assert_array_equal(fit_mask(mask_HW, preprocessing)[decided_HW], expected_HW[decided_HW])


def test_grey_pictures_have_three_equal_channels_of_the_luma_of_television() -> None:
    image_HWC = noise(40, 60)
    fitted_HWC = fit_image(image_HWC, Preprocessing(CANVAS, grayscale=True))
    np.testing.assert_array_equal(fitted_HWC[:, :, 0], fitted_HWC[:, :, 1])
    np.testing.assert_array_equal(fitted_HWC[:, :, 0], fitted_HWC[:, :, 2])
    luma_HW = image_HWC @ np.array([0.114, 0.587, 0.299])
    # Integer weights of 14 or 15 bits: a half may go either way.
    np.testing.assert_allclose(fitted_HWC[:, :, 0], luma_HW, atol=0.51)


@pytest.mark.parametrize("contrast", list(Contrast))
def test_steps_come_in_their_order(contrast: Contrast) -> None:
    image_HWC = noise(80, 120) // 2 + 40
    image_HWC[:, :60] = 255  # outside the crop, so without a say in the contrast
    preprocessing = Preprocessing(
        Size(height=30, width=20), Fit.CENTER_CROP, crop=StaticCrop(50, 25, 100, 75), grayscale=True, contrast=contrast
    )
    cropped_HWC = image_HWC[20:60, 60:]
    grey_HWC = np.repeat(cv2.cvtColor(cropped_HWC, cv2.COLOR_BGR2GRAY)[:, :, None], 3, axis=2)
    expected_HWC = raise_contrast(grey_HWC, contrast)[5:35, 20:40]
    np.testing.assert_array_equal(fit_image(image_HWC, preprocessing), expected_HWC)


@pytest.mark.parametrize("step", list(Step))
def test_a_skipped_step_is_the_only_one_left_out(step: Step) -> None:
    every_step = Preprocessing(
        CANVAS,
        Fit.CENTER_CROP,
        crop=StaticCrop(0, 0, 50, 50),
        grayscale=True,
        contrast=Contrast.STRETCHING,
        tiles=Tiles(rows=2, columns=2),
    )
    without = {
        Step.AUTO_ORIENT: {"auto_orient": False},
        Step.STATIC_CROP: {"crop": None},
        Step.GRAYSCALE: {"grayscale": False},
        Step.CONTRAST: {"contrast": None},
        Step.TILE: {"tiles": None},
    }[step]
    assert skip_steps(every_step, {step}) == replace(every_step, **without)
    assert skip_steps(every_step, set()) == every_step
    plain = Preprocessing(CANVAS, auto_orient=False)
    assert skip_steps(plain, set(Step)) == plain


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
