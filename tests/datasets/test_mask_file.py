from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from atrous.core.sizes import Size
from atrous.datasets.findings import Finding
from atrous.datasets.mask_file import MaskFile
from atrous.datasets.source import LabelValues
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path

VALUES_HW = np.random.default_rng(0).integers(0, 256, (11, 13)).astype(np.uint8)
SIZE = Size(11, 13)


def values_of(path: Path, size: Size = SIZE) -> np.ndarray:
    label = MaskFile(path).load(size)
    assert isinstance(label, LabelValues), label
    return label.values_HW


def reason_of(path: Path, size: Size = SIZE) -> str:
    finding = MaskFile(path).load(size)
    assert isinstance(finding, Finding)
    assert finding.file == path
    assert finding.remedy
    return finding.reason


def write_raw_png(path: Path, values_HW: np.ndarray, *, bits: int, colour: int) -> None:
    """A PNG of few bits a pixel, written by hand, because libraries choose the bits themselves."""
    height, width = values_HW.shape

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    bits_HWB = (values_HW[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = [b"\0" + np.packbits(row).tobytes() for row in bits_HWB.reshape(height, -1)]
    palette = chunk(b"PLTE", bytes(range(3 * 2**bits))) if colour == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + palette + body + chunk(b"IEND", b""))


def test_grey_values_are_as_stored(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    np.testing.assert_array_equal(values_of(tmp_path / "m.png"), VALUES_HW)


def test_palette_png_gives_indices_not_colours(tmp_path: Path) -> None:
    mask = Image.fromarray(VALUES_HW, "L").convert("P")
    mask.putdata(VALUES_HW.ravel().tolist())
    mask.putpalette(np.random.default_rng(1).integers(0, 256, 768).tolist())
    mask.save(tmp_path / "m.png")
    assert Image.open(tmp_path / "m.png").mode == "P"
    np.testing.assert_array_equal(values_of(tmp_path / "m.png"), VALUES_HW)


@pytest.mark.parametrize("colour", [0, 3])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_a_pixel_are_not_stretched(bits: int, colour: int, tmp_path: Path) -> None:
    few_HW = VALUES_HW % 2**bits
    write_raw_png(tmp_path / "m.png", few_HW, bits=bits, colour=colour)
    np.testing.assert_array_equal(values_of(tmp_path / "m.png"), few_HW)


def test_rgb_mask_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", np.dstack([VALUES_HW] * 3))
    assert "is RGB" in reason_of(tmp_path / "m.png")


def test_mask_with_transparency_is_refused(tmp_path: Path) -> None:
    Image.fromarray(VALUES_HW, "L").convert("LA").save(tmp_path / "m.png")
    assert "transparency" in reason_of(tmp_path / "m.png")


def test_16_bit_mask_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW.astype(np.uint16) * 100)
    assert "has 16 bits" in reason_of(tmp_path / "m.png")


def test_jpeg_mask_is_refused_whatever_its_name(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "m.png", VALUES_HW)
    assert reason_of(tmp_path / "m.png") == "is a JPEG, which changes pixel values"


def test_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    assert reason_of(tmp_path / "m.png", Size(12, 13)) == "the label is 13x11, its picture 13x12"


def test_mask_of_the_size_before_exif_rotation_is_told_so(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    assert "once it is turned as its EXIF data says" in reason_of(tmp_path / "m.png", Size(13, 11))


@pytest.mark.parametrize("cut", [1, 20, 60, 120])
def test_cut_off_mask_is_refused(cut: int, tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    (tmp_path / "m.png").write_bytes((tmp_path / "m.png").read_bytes()[:cut])
    assert "is cut off" in reason_of(tmp_path / "m.png")


def test_damaged_mask_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    data = bytearray((tmp_path / "m.png").read_bytes())
    data[80] ^= 0xFF
    (tmp_path / "m.png").write_bytes(data)
    assert "damaged" in reason_of(tmp_path / "m.png")


@pytest.mark.parametrize(("data", "reason"), [(b"", "is empty"), (b"GIF89a" * 9, "is not a PNG")])
def test_file_that_is_no_png_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(data)
    assert reason_of(tmp_path / "m.png") == reason


def test_missing_mask_is_a_finding(tmp_path: Path) -> None:
    assert "cannot be read" in reason_of(tmp_path / "m.png")
