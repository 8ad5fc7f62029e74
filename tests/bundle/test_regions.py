from __future__ import annotations

import numpy as np
import pytest

from atrous.bundle.regions import Region, StaticCrop, Tiles, parse_crop
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size


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


@pytest.mark.parametrize(("height", "width"), [(10, 9), (7, 31), (2, 3), (1, 1)])
def test_tiles_cover_each_pixel_of_their_area_once_and_hardly_differ_in_size(height: int, width: int) -> None:
    tiles = Tiles(rows=2, columns=3).locate(Region(5, 8, Size(height, width)))
    covered_HW = np.zeros((height + 9, width + 12), int)
    for tile in tiles:
        covered_HW[tile.slices] += 1
    assert (covered_HW[5 : 5 + height, 8 : 8 + width] == 1).all()
    assert covered_HW.sum() == height * width
    assert len({tile.size.height for tile in tiles}) <= 2 >= len({tile.size.width for tile in tiles})
    assert len(tiles) == min(2, height) * min(3, width)


@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 17), (-1, 2)])
def test_a_grid_that_cannot_be_is_refused_with_the_range(rows: int, columns: int) -> None:
    with pytest.raises(InvalidInputError, match="1 to 16"):
        Tiles(rows, columns)
