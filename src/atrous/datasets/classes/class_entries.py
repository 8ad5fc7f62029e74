"""One line of a list of classes, and how values and colours are written in such lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidDatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_VALUE = 255
EXAMPLE = "write one line a class, such as 1,road"
HEX_COLOUR = re.compile(r"(?:#|0x)?([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?")
# A name may be of six hexadecimal digits, as `facade` is: only a sign before them makes it a colour.
MARKED_COLOUR = re.compile(r"(?:#|0x)[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?")
CHANNELS = re.compile(r"(?:rgba?)?[(\[]?\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,]+\d+)?\s*[)\]]?")


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class as a list names it.

    Attributes:
        where: file and line, for messages.
        value: the pixel value that stands for it, if the list says so.
        colour: 0xRRGGBB, if the list says so.
    """

    where: str
    name: str
    value: int | None = None
    colour: int | None = None


def parse_value(where: str, text: str) -> int:
    """A pixel value of 0 to 255.

    Raises:
        InvalidDatasetError: if the text is none.
    """
    if not (text.isascii() and text.isdecimal()) or int(text[:9]) > MAX_VALUE:
        raise InvalidDatasetError(f"{where}: {text[:40]!r} is not a pixel value of 0 to {MAX_VALUE}; {EXAMPLE}")
    return int(text)


def parse_colour(where: str, text: str) -> int:
    """A colour as 0xRRGGBB, from `#rrggbb`, `r,g,b` or `r g b`; a fourth channel is left out.

    Raises:
        InvalidDatasetError: if the text is no colour.
    """
    if found := HEX_COLOUR.fullmatch(text.strip()):
        return int(found[1], 16)
    if found := CHANNELS.fullmatch(text.strip().casefold()):
        return pack_colour(where, [int(channel) for channel in found.groups()])
    raise InvalidDatasetError(f"{where}: {text[:40]!r} is not a colour; write it as #80ff00 or as 128,255,0")


def pack_colour(where: str, channels: Sequence[Any]) -> int:
    """A colour as 0xRRGGBB, from red, green and blue; a fourth channel is left out.

    Raises:
        InvalidDatasetError: if these are not whole numbers of 0 to 255.
    """
    if len(channels) not in {3, 4} or not all(type(one) is int and 0 <= one <= 255 for one in channels):
        raise InvalidDatasetError(f"{where}: {list(channels)[:5]} is not a colour; write three numbers of 0 to 255")
    red, green, blue = cast("Sequence[int]", channels)[:3]
    return red << 16 | green << 8 | blue


def write_colour(colour: int) -> str:
    """0xRRGGBB as `#rrggbb`."""
    return f"#{colour:06x}"
