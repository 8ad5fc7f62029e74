from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from atrous.runtime.png import encode_grey_png

if TYPE_CHECKING:
    from numpy.typing import NDArray


def assert_reads_back(pixels_HW: NDArray[np.uint8]) -> None:
    data = encode_grey_png(pixels_HW)
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert by_opencv.dtype == np.uint8
    np.testing.assert_array_equal(by_opencv, pixels_HW)
    with Image.open(io.BytesIO(data)) as by_pillow:
        assert (by_pillow.format, by_pillow.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(by_pillow), pixels_HW)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(max_examples=80, deadline=None)
def test_every_pixel_comes_back(pixels_HW: NDArray[np.uint8]) -> None:
    assert_reads_back(pixels_HW)


@given(st.integers(1, 3000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_single_row_or_column_is_a_picture(length: int, is_row: bool) -> None:
    pixels = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    assert_reads_back(pixels[None, :] if is_row else pixels[:, None])


@pytest.mark.parametrize(
    "view",
    [np.s_[::2, ::3], np.s_[::-1, :], np.s_[:, ::-1], np.s_[5:9, 7:8], np.s_[:, 3:4], np.s_[3:4, :]],
    ids=str,
)
def test_views_into_other_arrays_are_encoded_as_they_look(view: tuple[slice, slice]) -> None:
    pixels_HW = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    assert_reads_back(pixels_HW[view])
    assert_reads_back(pixels_HW.T[view])
    assert_reads_back(np.asfortranarray(pixels_HW)[view])


def test_a_channel_of_a_colour_picture_is_encoded_alone() -> None:
    image_HWC = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)
    assert_reads_back(image_HWC[:, :, 1])


def test_an_array_that_may_not_be_written_is_encoded() -> None:
    pixels_HW = np.arange(12, dtype=np.uint8).reshape(3, 4)
    pixels_HW.flags.writeable = False
    assert_reads_back(pixels_HW)


def test_a_broadcast_array_is_encoded() -> None:
    assert_reads_back(np.broadcast_to(np.uint8(7), (5, 6)))


def test_a_large_mask_comes_back_and_is_small() -> None:
    mask_HW = np.zeros((2160, 3840), np.uint8)
    cv2.circle(mask_HW, (1900, 1000), 700, 3, cv2.FILLED)
    mask_HW[100:200] = 255
    assert_reads_back(mask_HW)
    # Deflate's own floor is a thousandth of the pixels.
    assert len(encode_grey_png(mask_HW)) < mask_HW.size / 80


def test_its_checksums_are_right() -> None:
    data = encode_grey_png(np.arange(30, dtype=np.uint8).reshape(5, 6))
    position, kinds = 8, []
    while position < len(data):
        length = int.from_bytes(data[position : position + 4])
        body = data[position + 4 : position + 8 + length]
        kinds.append(body[:4])
        assert zlib.crc32(body) == int.from_bytes(data[position + 8 + length : position + 12 + length])
        position += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
