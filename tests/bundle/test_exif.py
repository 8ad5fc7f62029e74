from __future__ import annotations

import struct

import numpy as np
import pytest

from atrous.bundle.exif import INVERSE, read_orientation_tag, turn_picture, turn_size
from atrous.core.sizes import Size

ORIENTATION_TAG, MAKE_TAG = 0x0112, 0x010F
BYTE, TEXT, SHORT, LONG, RATIONAL, SIGNED_SHORT, SIGNED_LONG = 1, 2, 3, 4, 5, 8, 9


def make_exif(orientation: int, *, order: str = "<", kind: int = SHORT, tag: int = ORIENTATION_TAG) -> bytes:
    """A block of two entries: the camera's maker, then a number."""
    value = {BYTE: "B3x", SHORT: "H2x", LONG: "I", RATIONAL: "I", SIGNED_SHORT: "h2x", SIGNED_LONG: "i"}[kind]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    maker = struct.pack(f"{order}HHI4s", MAKE_TAG, TEXT, 4, b"abc")
    entry = struct.pack(f"{order}HHI{value}", tag, kind, 1, orientation)
    return head + struct.pack(f"{order}H", 2) + maker + entry + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [BYTE, SHORT, LONG, SIGNED_SHORT, SIGNED_LONG])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_read_however_it_is_written(orientation: int, prefix: bytes, kind: int, order: str) -> None:
    assert read_orientation_tag(prefix + make_exif(orientation, order=order, kind=kind)) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    assert read_orientation_tag(make_exif(orientation)) == 1


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"II",
        b"XX\x2a\0" + make_exif(6)[4:],
        b"II\x2b\0" + make_exif(6)[4:],
        b"II\x2a\0\xff\xff\xff\xff" + make_exif(6)[8:],
        make_exif(6)[:-12],
        make_exif(6, tag=0x0113),
        make_exif(6, kind=RATIONAL),
    ],
)
def test_a_block_that_tells_none_or_is_damaged_is_upright(exif: bytes) -> None:
    assert read_orientation_tag(exif) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_back_undoes_a_turn(orientation: int) -> None:
    image_HWC = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    turned_HWC = turn_picture(image_HWC, orientation)
    assert turned_HWC.flags.c_contiguous
    assert Size(*turned_HWC.shape[:2]) == turn_size(Size(2, 3), orientation)
    assert orientation == 1 or not np.array_equal(turned_HWC, image_HWC)
    np.testing.assert_array_equal(turn_picture(turned_HWC, INVERSE.get(orientation, orientation)), image_HWC)
