"""The forms in which a picture arrives, brought to the bytes of its file, and to pixels."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any

from atrous.bundle.picture import read_picture_size
from atrous.bundle.reduction import JpegScale, decode_for
from atrous.core.errors import InvalidImageError, TooLargeError

if TYPE_CHECKING:
    from atrous.bundle.picture import Picture
    from atrous.bundle.preprocessing import Preprocessing

DATA_URI = re.compile(rb"\s*data:image/[^;,\s]{1,40};base64,")
WHITESPACE = b" \t\r\n"
URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# Every picture format has a zero or a byte above 127 in its first bytes; base64 text has neither.
HEAD_BYTES = 64

OFF = {
    "file": "Reading files of the server is off; send the picture's bytes as base64.",
    "numpy": "NumPy image type is not supported, as it is a pickle; send a picture file as base64.",
    "numpy_object": "NumPy image type is not supported; send a picture file as base64.",
    "pil": "PIL image type is not supported; send a picture file as base64.",
    "multipart": "Multipart image type is not supported here; send a picture file as base64.",
}


def bad_image(cause: str) -> InvalidImageError:
    """The error of a picture that cannot be had, in the words that clients know."""
    return InvalidImageError(f"Could not load input image. Cause: {cause}")


def check_image_type(image_type: str) -> None:
    """Let base64 pass.

    Raises:
        InvalidImageError: saying why another type is off, or that there is no such type.
    """
    kind = image_type.lower()
    if kind != "base64":
        raise bad_image(OFF.get(kind, "Image declaration contains not recognised image type; send base64."))


def read_image(image_type: str, value: Any) -> bytes:
    """The file's bytes of an image declared as `{type, value}`.

    Raises:
        InvalidImageError: if the type is off or the value is no base64 text.
    """
    check_image_type(image_type)
    if value is None or value == "":
        raise bad_image("Empty image payload.")
    if not isinstance(value, str):
        raise bad_image("Malformed base64 input image.")
    if not value.isascii():
        raise bad_image(
            "Invalid base64 input: the image payload contains raw bytes instead of a base64-encoded string. Please "
            "base64-encode the image before sending."
        )
    return read_base64(value.encode("ascii"))


def read_body(body: bytes) -> bytes:
    """The file's bytes of a body that is a picture, or a picture as base64 text.

    Raises:
        InvalidImageError: if it is empty or neither.
    """
    head = body[:HEAD_BYTES]
    is_raw = not head.isascii() or b"\0" in head
    return body if is_raw else read_base64(body)


def read_base64(text: bytes) -> bytes:
    """Decode base64, standard or URL-safe, with or without white space, padding and a `data:image/...` prefix.

    Raises:
        InvalidImageError: if nothing is left, or something else is in it.
    """
    prefix = DATA_URI.match(text)
    letters = text[prefix.end() if prefix else 0 :].translate(URL_SAFE_TO_STANDARD, WHITESPACE)
    if not letters:
        raise bad_image("Empty image payload.")
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4), strict_mode=True)
    except binascii.Error as error:
        raise bad_image("Malformed base64 input image.") from error


def count_pixels(data: bytes, *, max_pixels: int) -> int:
    """How many pixels `decode_image` would make of these bytes, by their header; 0 if it refuses them."""
    try:
        pixels = read_picture_size(data).pixels
    except InvalidImageError:
        return 0
    return pixels if pixels <= max_pixels else 0


def decode_image(
    data: bytes, preprocessing: Preprocessing, *, max_pixels: int, scale: JpegScale = JpegScale.FULL
) -> Picture:
    """Decode a picture for a network: turned if its preprocessing turns pictures, at the scale that is asked for.

    Raises:
        InvalidImageError: if the bytes are no picture or are damaged.
        TooLargeError: if the picture has more than `max_pixels`.
    """
    try:
        return decode_for(data, preprocessing, scale, max_pixels=max_pixels)
    except TooLargeError as error:
        raise TooLargeError(f"{error}; send a smaller picture, or raise max_pixels of the server") from error
    except InvalidImageError as error:
        raise bad_image(f"{error}.") from error
