from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from atrous.bundle.picture import decode_grey_levels, decode_picture, read_picture_orientation, read_picture_size
from atrous.core.errors import InvalidImageError, TooLargeError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

ORIENTATION_TAG = 0x0112
# From the pixels as stored to the picture as people see it, by EXIF orientation.
TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}
LOSSLESS = (".png", ".bmp", ".tiff", ".webp")
BEST_QUALITY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
TURNED = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'

# Prints the peak of memory while a file is decoded, in copies of its pixels.
PEAK_SCRIPT = """
import sys
from pathlib import Path
from atrous.bundle.picture import decode_picture

def peak_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024

data = Path(sys.argv[1]).read_bytes()
before = peak_bytes()
image_HWC = decode_picture(data)
print((peak_bytes() - before) / image_HWC.nbytes)
"""


def draw_corners() -> NDArray[np.uint8]:
    """A picture, BGR, that looks different however it is turned."""
    colours = np.array([[[0, 0, 255], [0, 255, 0], [255, 0, 0]], [[0, 0, 0], [255, 255, 255], [255, 0, 255]]], np.uint8)
    return colours.repeat(16, 0).repeat(16, 1)


def encode(pixels: NDArray[Any], extension: str = ".png") -> bytes:
    # Above 100 is WebP's lossless mode.
    return cv2.imencode(extension, pixels, [cv2.IMWRITE_WEBP_QUALITY, 101] if extension == ".webp" else [])[1].tobytes()


def encode_with_pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encode_turned(orientation: int, kind: str) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(draw_corners()[:, :, ::-1]))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return encode_with_pillow(image, kind, exif=exif, **BEST_QUALITY.get(kind, {}))


def png_of_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", TURNED)
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_is_turned_as_its_exif_says(orientation: int, kind: str) -> None:
    decoded = decode_picture(encode_turned(orientation, kind)).astype(int)
    expected = TURNS[orientation](draw_corners())
    assert decoded.shape == expected.shape
    # JPEG at its best quality is off by a few levels.
    assert np.abs(decoded - expected).max() <= 6


@pytest.mark.parametrize("kind", TURNED)
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_stays_as_stored_when_turning_is_off(orientation: int, kind: str) -> None:
    decoded = decode_picture(encode_turned(orientation, kind), auto_orient=False).astype(int)
    assert np.abs(decoded - draw_corners()).max() <= 6


@pytest.mark.parametrize("kind", TURNED)
@pytest.mark.parametrize("orientation", TURNS)
def test_the_orientation_told_is_the_one_that_pictures_are_turned_by(orientation: int, kind: str) -> None:
    assert read_picture_orientation(encode_turned(orientation, kind)) == orientation


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_outside_of_exif_turns_nothing(kind: str) -> None:
    image = Image.fromarray(np.ascontiguousarray(draw_corners()[:, :, ::-1]))
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options = {"pnginfo": info} if kind == "PNG" else {"xmp": XMP}
    data = encode_with_pillow(image, kind, **options, **BEST_QUALITY.get(kind, {}))
    assert Image.open(io.BytesIO(data)).getexif()[ORIENTATION_TAG] == 6
    assert read_picture_orientation(data) == 1
    assert decode_picture(data).shape == draw_corners().shape


def test_a_16_bit_tiff_is_turned_too() -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    grey_HW = np.arange(12, dtype=np.uint16).reshape(3, 4) << 8
    data = encode_with_pillow(Image.fromarray(grey_HW), "TIFF", exif=exif)
    np.testing.assert_array_equal(decode_picture(data)[:, :, 0], np.rot90(grey_HW, -1) >> 8)
    np.testing.assert_array_equal(decode_picture(data, auto_orient=False)[:, :, 0], grey_HW >> 8)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_no_orientation(orientation: int) -> None:
    decoded = decode_picture(encode_turned(orientation, "JPEG")).astype(int)
    assert np.abs(decoded - draw_corners()).max() <= 6


@pytest.mark.parametrize("extension", LOSSLESS)
def test_colours_come_as_bgr(extension: str) -> None:
    decoded = decode_picture(encode(draw_corners(), extension))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, draw_corners())


@pytest.mark.parametrize("extension", [".jpg", ".avif", ".gif"])
def test_lossy_formats_are_decoded_too(extension: str) -> None:
    decoded = decode_picture(encode(draw_corners(), extension)).astype(int)
    inside = np.s_[8::16, 8::16]
    # In the middle of a square, where no block of the codec holds an edge; GIF has 6 levels a channel.
    assert np.abs(decoded[inside] - draw_corners()[inside]).max() <= 26


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_only_the_first_frame_or_page_is_seen(kind: str, options: dict[str, Any]) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("#ff0000", "#00ff00")]
    data = encode_with_pillow(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decode_picture(data), np.full((8, 8, 3), (0, 0, 255)))


@pytest.mark.parametrize("extension", [".png", ".jpg", ".tiff"])
def test_grey_becomes_three_equal_channels(extension: str) -> None:
    grey_HW = np.full((16, 24), 77, np.uint8)
    decoded = decode_picture(encode(grey_HW, extension))
    np.testing.assert_array_equal(decoded, np.full((16, 24, 3), 77))


def test_16_bit_loses_its_low_byte() -> None:
    grey_HW = np.array([[0, 255, 256, 0x1234, 0x80FF, 65535]], np.uint16)
    for extension in (".png", ".tiff"):
        decoded = decode_picture(encode(grey_HW, extension))
        np.testing.assert_array_equal(decoded[:, :, 0], grey_HW >> 8)
    coloured = np.repeat(grey_HW[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(decode_picture(encode(coloured)), coloured >> 8)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_12_bits_in_16_stay_as_dark_as_they_are(extension: str) -> None:
    grey_HW = np.array([[0, 255, 256, 4095]], np.uint16)
    np.testing.assert_array_equal(decode_picture(encode(grey_HW, extension))[:, :, 0], [[0, 0, 1, 15]])


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_is_dropped_and_blends_nothing(alpha: int, extension: str) -> None:
    image = np.dstack([draw_corners(), np.full(draw_corners().shape[:2], alpha, np.uint8)])
    np.testing.assert_array_equal(decode_picture(encode(image, extension)), draw_corners())


@pytest.mark.parametrize(("mode", "colour"), [("1", 1), ("L", 255), ("LA", (255, 9)), ("P", 0), ("RGBA", (255,) * 4)])
def test_every_png_mode_becomes_three_channels(mode: str, colour: Any) -> None:
    image = Image.new(mode, (5, 4), colour)
    if mode == "P":
        image.putpalette([255, 255, 255])
    decoded = decode_picture(encode_with_pillow(image, "PNG"))
    np.testing.assert_array_equal(decoded, np.full((4, 5, 3), 255))


@pytest.mark.parametrize(("mode", "colour"), [("1", 1), ("L", 255), ("P", 0), ("RGBA", (255,) * 4), ("CMYK", (0,) * 4)])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate"])
def test_every_tiff_mode_becomes_three_channels(mode: str, colour: Any, compression: str) -> None:
    image = Image.new(mode, (5, 4), colour)
    if mode == "P":
        image.putpalette([255, 255, 255])
    decoded = decode_picture(encode_with_pillow(image, "TIFF", compression=compression))
    np.testing.assert_array_equal(decoded, np.full((4, 5, 3), 255))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_tiff_of_numbers_that_are_no_levels_is_refused_and_says_why(dtype: Any) -> None:
    data = encode_with_pillow(Image.fromarray(np.full((4, 5), 7, dtype)), "TIFF")
    with pytest.raises(InvalidImageError, match=r"the TIFF is damaged or of a kind that is not read; .* 8 or 16-bit"):
        decode_picture(data)


def test_cmyk_becomes_colours() -> None:
    decoded = decode_picture(encode_with_pillow(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    # Red, to the level or two that JPEG rounds.
    assert np.abs(decoded.astype(int) - [0, 0, 255]).max() <= 3


def test_labels_are_decoded_exactly_as_stored() -> None:
    for dtype in (np.uint8, np.uint16):
        levels = np.arange(20, dtype=dtype).reshape(4, 5) * 12
        decoded = decode_grey_levels(encode(levels))
        assert decoded.dtype == dtype
        np.testing.assert_array_equal(decoded, levels)
    assert decode_grey_levels(encode_turned(6, "PNG")).shape == draw_corners().shape


@pytest.mark.parametrize("decode", [decode_picture, read_picture_size])
def test_no_bytes_are_no_picture(decode: Callable[[bytes], Any]) -> None:
    with pytest.raises(InvalidImageError, match="empty"):
        decode(b"")


@pytest.mark.parametrize(
    "data",
    [b"x", b"hello " * 100, bytes(1000), b"\xff\xd8\xff" + bytes(100), b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM",
     b"RIFF\0\0\0\0WEBP", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4\n", b"P6 3 3 255\n"],
)  # fmt: skip
def test_other_data_is_no_picture(data: bytes) -> None:
    with pytest.raises(InvalidImageError):
        decode_picture(data)


def test_a_damaged_file_of_a_rare_format_is_no_picture() -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(file, "SPIDER")
    data = bytearray(file.getvalue())
    # Field 27 of the header, which picture of a stack this is; the reader then misses an attribute.
    data[26 * 4 : 27 * 4] = struct.pack("<f", 1.0)
    with pytest.raises(InvalidImageError):
        decode_picture(bytes(data))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of the truncated TIFF
@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".gif", ".avif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_a_truncated_file_is_damaged(share: float, extension: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(noise, extension)
    with pytest.raises(InvalidImageError):
        decode_picture(data[: int(len(data) * share)])


def test_a_png_whose_pixels_were_altered_is_damaged() -> None:
    data = bytearray(encode(draw_corners()))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InvalidImageError):
        decode_picture(bytes(data))


@pytest.mark.parametrize("side_px", [10_001, 30_000, 2**31 - 1])
def test_a_huge_header_is_refused_before_any_pixel_is_decoded(side_px: int) -> None:
    # Decoding would fail as damaged: these files hold no pixels.
    with pytest.raises(TooLargeError, match=f"{side_px}x{side_px}.*limit is 100000000"):
        decode_picture(png_of_header(side_px, side_px))


def test_the_limit_that_was_asked_for_decides() -> None:
    data = encode(np.zeros((10, 20, 3), np.uint8))
    assert decode_picture(data, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(TooLargeError, match="200 pixels"):
        decode_picture(data, max_pixels=199)
    with pytest.raises(InvalidImageError):
        decode_picture(png_of_header(20_000, 20_000), max_pixels=10**9)


def test_a_header_without_area_is_no_picture() -> None:
    with pytest.raises(InvalidImageError):
        decode_picture(png_of_header(0, 5))


def test_the_size_is_the_stored_one() -> None:
    assert read_picture_size(encode_turned(6, "JPEG")) == Size(height=32, width=48)


@pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are read from /proc")
@pytest.mark.parametrize(("orientation", "copies"), [(1, 1), (6, 2)])
def test_a_large_jpeg_takes_no_more_memory_than_its_pixels_and_their_turn(
    orientation: int, copies: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    file = tmp_path / "a.jpg"
    Image.new("L", (6000, 4000), 99).save(file, exif=exif)
    done = subprocess.run([sys.executable, "-c", PEAK_SCRIPT, file], capture_output=True, text=True, check=True)
    # The decoder's own buffers are some rows.
    assert float(done.stdout) < copies + 0.25
