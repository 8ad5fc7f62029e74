"""Height and width of a picture, in pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass

from atrous.core.errors import InvalidInputError

MAX_SIDE_PX = 8192


@dataclass(frozen=True, slots=True)
class Size:
    """Height and width in pixels, both at least 1."""

    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise InvalidInputError(f"size {self.width}x{self.height}: both sides must be at least 1 pixel")

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width


def parse_size(text: str) -> Size:
    """Read `WIDTHxHEIGHT`, or one number for a square.

    Raises:
        InvalidInputError: if the text is neither, or a side is 0 or over 8192.
    """
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text.strip().lower())
    if not match:
        raise InvalidInputError(f"size {text!r}: write WIDTHxHEIGHT, such as 512x512")
    width = int(match[1])
    height = int(match[2] or match[1])
    if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
        raise InvalidInputError(f"size {text!r}: sides must be 1 to {MAX_SIDE_PX} pixels")
    return Size(height=height, width=width)
