from __future__ import annotations

import pytest

from atrous.bundle.regions import StaticCrop, parse_crop
from atrous.core.errors import InvalidInputError


@pytest.mark.parametrize("text", ["10,0,90,100", " 10 , 0, 90,100 "])
def test_a_crop_is_four_percentages(text: str) -> None:
    crop = parse_crop(text)
    assert crop == StaticCrop(x_min=10, y_min=0, x_max=90, y_max=100)
    assert str(crop) == "10,0,90,100"


@pytest.mark.parametrize(
    "text",
    [
        *("", "10,0,90", "10,0,90,100,0", "10;0;90;100", "10%,0,90,100", "-1,0,90,100", "0,0,90,101", "90,0,10,100"),
        *("0,50,100,50", "10.5,0,90,100", "1e1,0,90,100", "1000,0,2000,100"),
    ],
)
def test_what_is_no_crop_is_refused_with_an_example_or_the_range(text: str) -> None:
    with pytest.raises(InvalidInputError, match="X_MIN,Y_MIN,X_MAX,Y_MAX in percent"):
        parse_crop(text)
