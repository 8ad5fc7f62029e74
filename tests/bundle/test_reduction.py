from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.bundle.jpegs import draw_clouds, encode_jpeg, make_exif

from atrous.bundle.contrast import Contrast
from atrous.bundle.jpeg import divide_size
from atrous.bundle.picture import decode_picture
from atrous.bundle.preprocessing import Fit, Preprocessing, fit_image, place_picture
from atrous.bundle.reduction import JpegScale, decode_for, find_divisor
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import InvalidImageError, TooLargeError
from atrous.core.sizes import Size

CANVAS = Size(height=48, width=64)
STRETCHED = Preprocessing(CANVAS)
SCALED_FITS = [fit for fit in Fit if fit is not Fit.CENTER_CROP]


@pytest.mark.parametrize(
    ("picture", "divisor"),
    [
        (Size(48, 64), 1),
        (Size(96, 127), 1),
        (Size(96, 128), 2),
        (Size(191, 256), 2),
        (Size(192, 256), 4),
        (Size(384, 511), 4),
        (Size(384, 512), 8),
        (Size(10_000, 10_000), 8),
        (Size(10_000, 64), 1),
        (Size(20, 20), 1),
    ],
    ids=str,
)
def test_the_divisor_is_the_greatest_that_holds_the_input(picture: Size, divisor: int) -> None:
    assert find_divisor(picture, STRETCHED) == divisor


def test_a_letterbox_needs_only_what_is_inside_its_padding() -> None:
    wide = Size(height=100, width=512)
    assert find_divisor(wide, STRETCHED) == 2
    assert find_divisor(wide, Preprocessing(CANVAS, Fit.LETTERBOX_GREY)) == 8


def test_a_crop_is_what_has_to_hold_the_input() -> None:
    half = Preprocessing(CANVAS, crop=StaticCrop(0, 0, 50, 50))
    assert find_divisor(Size(384, 512), half) == 4


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(CANVAS, Fit.CENTER_CROP),
        Preprocessing(CANVAS, contrast=Contrast.STRETCHING),
        Preprocessing(CANVAS, tiles=Tiles(2, 2)),
    ],
    ids=["center-crop", "contrast", "tiles"],
)
def test_what_needs_every_pixel_is_decoded_whole(preprocessing: Preprocessing) -> None:
    assert find_divisor(Size(1000, 1000), preprocessing) == 1


def test_nothing_is_reduced_where_nobody_asked_for_it() -> None:
    data = encode_jpeg(draw_clouds(384, 512))
    picture = decode_for(data, STRETCHED, JpegScale.FULL)
    np.testing.assert_array_equal(picture.image_HWC, decode_picture(data))


@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    fit=st.sampled_from(SCALED_FITS),
    crop=st.none() | st.just(StaticCrop(10, 20, 70, 90)),
)
def test_what_is_left_always_holds_the_input(height: int, width: int, fit: Fit, crop: StaticCrop | None) -> None:
    picture, preprocessing = Size(height, width), Preprocessing(CANVAS, fit, crop=crop)
    divisor = find_divisor(picture, preprocessing)
    if divisor == 1:
        return
    inner = place_picture(picture, preprocessing).inner.size
    left = place_picture(divide_size(picture, divisor), preprocessing).window.size
    # A crop's edges are whole pixels of what was decoded.
    assert left.height >= inner.height - 1
    assert left.width >= inner.width - 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_the_pictures_own_and_turned(orientation: int) -> None:
    data = encode_jpeg(draw_clouds(385, 523), exif=make_exif(orientation))
    full_HWC = decode_picture(data)
    picture = decode_for(data, STRETCHED, JpegScale.AUTO)
    assert picture.size == Size(*full_HWC.shape[:2])
    small_HWC = cv2.resize(full_HWC, picture.image_HWC.shape[:2][::-1], interpolation=cv2.INTER_AREA)
    assert picture.image_HWC.size * 15 < full_HWC.size
    assert np.abs(picture.image_HWC.astype(int) - small_HWC).mean() < 4


def test_the_orientation_is_left_where_the_model_turns_nothing() -> None:
    data = encode_jpeg(draw_clouds(384, 512), exif=make_exif(6))
    as_stored = decode_for(data, replace(STRETCHED, auto_orient=False), JpegScale.AUTO)
    assert as_stored.size == Size(384, 512)


@pytest.mark.parametrize("fit", SCALED_FITS)
@pytest.mark.parametrize("crop", [None, StaticCrop(10, 20, 90, 80)], ids=["whole", "crop"])
def test_the_network_sees_nearly_the_same_as_of_the_whole(fit: Fit, crop: StaticCrop | None) -> None:
    preprocessing = Preprocessing(CANVAS, fit, crop=crop)
    y, x = np.mgrid[0:411, 0:523]
    soft_HWC = np.dstack([128 + 90 * np.sin(x / 60), 128 + 90 * np.cos(y / 70), (x + y) / 4]).astype(np.uint8)
    data = encode_jpeg(Image.fromarray(soft_HWC), quality=95)
    picture = decode_for(data, preprocessing, JpegScale.AUTO)
    assert picture.image_HWC.shape[0] < 411
    reduced_HWC = fit_image(picture.image_HWC, preprocessing, picture.size)
    whole_HWC = fit_image(decode_picture(data), preprocessing)
    assert reduced_HWC.shape == whole_HWC.shape
    # A shift by one pixel of the input would be several times this.
    assert np.abs(reduced_HWC.astype(int) - whole_HWC).mean() < 2.5


def test_other_formats_are_decoded_whole() -> None:
    file = io.BytesIO()
    draw_clouds(384, 512).save(file, "PNG")
    assert decode_for(file.getvalue(), STRETCHED, JpegScale.AUTO).image_HWC.shape == (384, 512, 3)


def test_the_limit_is_on_the_pictures_own_size() -> None:
    data = encode_jpeg(draw_clouds(384, 512))
    with pytest.raises(TooLargeError, match="196608 pixels"):
        decode_for(data, STRETCHED, JpegScale.AUTO, max_pixels=100_000)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_jpeg_is_refused_at_a_fraction_too(share: float) -> None:
    data = encode_jpeg(draw_clouds(384, 512))
    with pytest.raises(InvalidImageError, match="JPEG is damaged"):
        decode_for(data[: int(len(data) * share)], STRETCHED, JpegScale.AUTO)
