from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.bundle.jpegs import draw_clouds, encode_jpeg, make_exif

from atrous.bundle.jpeg import DIVISORS, decode_jpeg
from atrous.bundle.picture import decode_picture
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"
EACH_NTH = 12


def decode_by_opencv(data: bytes, flags: int = cv2.IMREAD_COLOR) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flags), np.uint8)


@pytest.mark.parametrize("height_width", [(144, 208), (75, 101), (16, 17), (2, 3), (1, 1)])
@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True}, {"quality": 30},
     {"quality": 100}, {"keep_rgb": True}, {"restart_marker_blocks": 3}],
    ids=str,
)  # fmt: skip
def test_a_jpeg_has_the_pixels_that_opencv_gives_it(options: dict[str, Any], height_width: tuple[int, int]) -> None:
    data = encode_jpeg(draw_clouds(*height_width), **options)
    np.testing.assert_array_equal(decode_picture(data), decode_by_opencv(data))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_four_inks_have_the_pixels_that_opencv_gives_them(mode: str) -> None:
    data = encode_jpeg(draw_clouds(75, 101).convert(mode))
    np.testing.assert_array_equal(decode_picture(data), decode_by_opencv(data))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_has_the_pixels_that_opencv_gives_it(orientation: int) -> None:
    data = encode_jpeg(draw_clouds(75, 101), exif=make_exif(orientation))
    np.testing.assert_array_equal(decode_picture(data), decode_by_opencv(data))
    stored_HWC = decode_by_opencv(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    np.testing.assert_array_equal(decode_picture(data, auto_orient=False), stored_HWC)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data sets are not on this machine")
def test_real_jpegs_have_the_pixels_that_opencv_gives_them() -> None:
    paths = sorted(SHARED_DATA.rglob("*.jpg"))[::EACH_NTH]
    assert paths
    for path in paths:
        np.testing.assert_array_equal(decode_picture(path.read_bytes()), decode_by_opencv(path.read_bytes()))


def test_a_little_damage_is_judged_by_opencv() -> None:
    data = encode_jpeg(draw_clouds(144, 208), exif=make_exif(6))
    # The mark that ends a file is overwritten, as some cameras do; all pixels are there.
    unended = data[:-2] + bytes(100)
    assert decode_jpeg(unended, Size(144, 208)) is None
    np.testing.assert_array_equal(decode_picture(unended), decode_picture(data))


def test_bytes_after_the_end_are_passed_over() -> None:
    data = encode_jpeg(draw_clouds(144, 208))
    np.testing.assert_array_equal(decode_picture(data + b"and more" * 100), decode_picture(data))


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("height_width", [(144, 208), (301, 403)])
def test_a_fraction_has_both_sides_divided_and_shows_the_same(height_width: tuple[int, int], divisor: int) -> None:
    height, width = height_width
    data = encode_jpeg(draw_clouds(height, width), quality=95)
    small_HWC = decode_jpeg(data, Size(height, width), divisor)
    assert small_HWC is not None
    assert np.abs(np.array(small_HWC.shape[:2]) - np.array(height_width) / divisor).max() <= 0.5
    averaged_HWC = cv2.resize(decode_picture(data), small_HWC.shape[:2][::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small_HWC.astype(int) - averaged_HWC).mean() < 6
