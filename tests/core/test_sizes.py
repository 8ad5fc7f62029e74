from __future__ import annotations

import pytest

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import MAX_SIDE_PX, Size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("640x480", Size(height=480, width=640)),
        ("512", Size(height=512, width=512)),
        (" 640X480 ", Size(height=480, width=640)),
        ("1x1", Size(height=1, width=1)),
        (f"{MAX_SIDE_PX}", Size(height=MAX_SIDE_PX, width=MAX_SIDE_PX)),
    ],
)
def test_a_size_is_read_width_first(text: str, size: Size) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "640x", "x480", "640x480x3", "-1x5", "1.5x2", "640*480", "640 x 480", "0", "0x5", "5x0", "8193"]
)
def test_what_is_no_size_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(InvalidInputError, match="size"):
        parse_size(text)


def test_a_size_is_written_as_it_is_read() -> None:
    size = Size(height=480, width=640)
    assert str(size) == "640x480"
    assert parse_size(str(size)) == size
    assert size.pixels == 307_200


@pytest.mark.parametrize(("height", "width"), [(0, 1), (1, 0), (-1, 1)])
def test_a_side_has_at_least_one_pixel(height: int, width: int) -> None:
    with pytest.raises(InvalidInputError, match="at least 1 pixel"):
        Size(height=height, width=width)
