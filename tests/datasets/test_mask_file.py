from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from atrous.core.sizes import Size
from atrous.datasets.files.tree import File, Folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.source import LabelValues, PictureShape
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path

VALUES_HW = np.random.default_rng(0).integers(0, 256, (11, 13)).astype(np.uint8)
SIZE = Size(11, 13)


def load(path: Path, size: Size = SIZE, *fixes: Fix, orientation: int = 1) -> LabelValues | Finding:
    return MaskFile(File(Folder(path.parent), path.name)).load(PictureShape(size, orientation), frozenset(fixes))


def values_of(path: Path, *fixes: Fix) -> np.ndarray:
    label = load(path, SIZE, *fixes)
    assert isinstance(label, LabelValues), label
    assert label.fixed == (frozenset(fixes) or NO_FIXES)
    return label.values_HW


def finding_of(path: Path, size: Size = SIZE, *fixes: Fix, orientation: int = 1) -> Finding:
    finding = load(path, size, *fixes, orientation=orientation)
    assert isinstance(finding, Finding)
    assert finding.file == path.name
    assert finding.remedy
    return finding


def reason_of(path: Path, size: Size = SIZE, *fixes: Fix) -> str:
    return finding_of(path, size, *fixes).reason


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_raw_png(path: Path, values_HW: np.ndarray, *, bits: int, colour: int) -> None:
    """A PNG of few bits a pixel, written by hand, because libraries choose the bits themselves."""
    height, width = values_HW.shape

    bits_HWB = (values_HW[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = [b"\0" + np.packbits(row).tobytes() for row in bits_HWB.reshape(height, -1)]
    palette = png_chunk(b"PLTE", bytes(range(3 * 2**bits))) if colour == 3 else b""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"".join(rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + palette + body + png_chunk(b"IEND", b""))


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


@pytest.mark.parametrize("name", ["m.tif", "m.bmp", "m.gif"])
def test_other_lossless_formats_are_as_stored(name: str, tmp_path: Path) -> None:
    Image.fromarray(VALUES_HW).save(tmp_path / name)
    np.testing.assert_array_equal(values_of(tmp_path / name), VALUES_HW)


def test_big_profile_before_the_pixels_is_no_obstacle(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    data = (tmp_path / "m.png").read_bytes()
    profile = png_chunk(b"teSt", bytes(100_000))
    (tmp_path / "m.png").write_bytes(data[:33] + profile + data[33:])
    np.testing.assert_array_equal(values_of(tmp_path / "m.png"), VALUES_HW)


def test_rgb_mask_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", np.dstack([VALUES_HW] * 3))
    assert "is RGB" in reason_of(tmp_path / "m.png")


def test_rgb_mask_of_greys_is_taken_when_told(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", np.dstack([VALUES_HW] * 3))
    np.testing.assert_array_equal(values_of(tmp_path / "m.png", Fix.GREY_RGB_MASKS), VALUES_HW)


def test_rgb_mask_with_a_colour_is_refused_with_its_pixel_even_when_told(tmp_path: Path) -> None:
    pixels_HWC = np.dstack([VALUES_HW] * 3)
    pixels_HWC[4, 7] = (3, 2, 1)  # OpenCV: blue first
    write_png(tmp_path / "m.png", pixels_HWC)
    finding = finding_of(tmp_path / "m.png", SIZE, Fix.GREY_RGB_MASKS)
    assert (finding.pixel_xy, finding.value) == ((7, 4), "#010203")


def test_rgb_mask_of_16_bits_is_refused_because_reading_it_drops_bits(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", np.dstack([VALUES_HW.astype(np.uint16)] * 3))
    assert "16 bits a channel" in reason_of(tmp_path / "m.png", SIZE, Fix.GREY_RGB_MASKS)


def test_mask_with_transparency_is_refused(tmp_path: Path) -> None:
    Image.fromarray(VALUES_HW, "L").convert("LA").save(tmp_path / "m.png")
    assert "transparency" in reason_of(tmp_path / "m.png")


def test_16_bit_mask_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW.astype(np.uint16) * 100)
    assert "has 16 bits" in reason_of(tmp_path / "m.png")


def test_16_bit_mask_is_taken_with_all_its_bits_when_told(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW.astype(np.uint16) * 100)
    np.testing.assert_array_equal(
        values_of(tmp_path / "m.png", Fix.SIXTEEN_BIT_MASKS), VALUES_HW.astype(np.uint16) * 100
    )


def test_jpeg_mask_is_refused_whatever_its_name(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "m.png", VALUES_HW)
    assert reason_of(tmp_path / "m.png") == "is a JPEG, which changes pixel values"


def test_jpeg_inside_a_tiff_is_told_as_jpeg(tmp_path: Path) -> None:
    Image.fromarray(VALUES_HW).save(tmp_path / "m.tif", compression="jpeg")
    assert reason_of(tmp_path / "m.tif") == "is a JPEG, which changes pixel values"


def test_black_and_white_jpeg_is_parted_when_told(tmp_path: Path) -> None:
    truth_HW = np.zeros((24, 32), np.uint8)
    truth_HW[8:16, 8:24] = 255
    write_jpeg(tmp_path / "m.jpg", truth_HW)
    label = load(tmp_path / "m.jpg", Size(24, 32), Fix.THRESHOLD_JPEG_MASKS)
    assert isinstance(label, LabelValues)
    assert label.fixed == {Fix.THRESHOLD_JPEG_MASKS}
    np.testing.assert_array_equal(label.values_HW, truth_HW)


def test_jpeg_with_greys_is_refused_even_when_told(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "m.jpg", VALUES_HW)
    assert "greys between black and white" in reason_of(tmp_path / "m.jpg", SIZE, Fix.THRESHOLD_JPEG_MASKS)


def test_webp_mask_is_refused(tmp_path: Path) -> None:
    Image.fromarray(VALUES_HW).convert("RGB").save(tmp_path / "m.webp", lossless=True)
    assert reason_of(tmp_path / "m.webp") == "is WEBP, not PNG"


@pytest.mark.parametrize(
    ("fix", "expected"),
    [(Fix.VALUES_MINUS_ONE, [[255, 0, 1, 255]]), (Fix.VALUES_PLUS_ONE, [[1, 2, 3, 255]])],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_are_shifted_when_told_and_void_stays(
    fix: Fix, expected: list[list[int]], dtype: type, tmp_path: Path
) -> None:
    write_png(tmp_path / "m.png", np.array([[0, 1, 2, 255]], dtype))
    label = load(tmp_path / "m.png", Size(1, 4), fix, *([Fix.SIXTEEN_BIT_MASKS] if dtype is np.uint16 else []))
    assert isinstance(label, LabelValues)
    assert fix in label.fixed
    assert label.values_HW.tolist() == expected


def test_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    assert reason_of(tmp_path / "m.png", Size(12, 13)) == "the label is 13x11, its picture 13x12"


def test_mask_of_the_size_before_exif_rotation_is_told_so(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    finding = finding_of(tmp_path / "m.png", Size(13, 11), orientation=6)
    assert "once it is turned as its EXIF data says" in finding.reason


def test_huge_mask_is_refused_from_its_header_alone(tmp_path: Path) -> None:
    """The file holds no pixels at all, so whoever decoded it would call it damaged."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 13_000, 9_500, 8, 0, 0, 0, 0))
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""))
    finding = finding_of(tmp_path / "m.png", Size(2200, 2200))
    assert finding.kind is Kind.TOO_LARGE
    assert "13000x9500" in finding.reason


@pytest.mark.parametrize("cut", [1, 20, 60, 120, -1, -12])
def test_cut_off_mask_is_refused(cut: int, tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    (tmp_path / "m.png").write_bytes((tmp_path / "m.png").read_bytes()[:cut])
    assert "is cut off" in reason_of(tmp_path / "m.png")


def test_mask_with_any_byte_changed_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", VALUES_HW)
    data = (tmp_path / "m.png").read_bytes()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x55
        (tmp_path / "m.png").write_bytes(flipped)
        assert isinstance(load(tmp_path / "m.png"), Finding), at


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".gif", ".jpg"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_cut_off_mask_of_another_format_is_refused(share: float, suffix: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    black_white_HW = np.where(VALUES_HW > 127, np.uint8(255), np.uint8(0)).repeat(8, 0).repeat(8, 1)
    Image.fromarray(black_white_HW).save(buffer, {".tif": "TIFF", ".bmp": "BMP", ".gif": "GIF", ".jpg": "JPEG"}[suffix])
    (tmp_path / f"m{suffix}").write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
    finding = finding_of(tmp_path / f"m{suffix}", Size(88, 104), Fix.THRESHOLD_JPEG_MASKS)
    assert finding.kind is Kind.DAMAGED_LABEL


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "is empty"), (b"<html>404", "is not a picture"), (b"GIF89a", "is cut off or damaged")]
)
def test_file_that_is_no_picture_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(data)
    assert reason_of(tmp_path / "m.png") == reason


def test_missing_mask_is_a_finding(tmp_path: Path) -> None:
    assert "cannot be read" in reason_of(tmp_path / "m.png")
