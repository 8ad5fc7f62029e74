"""How a large picture is cut into overlapping tiles whose logits lie on one grid.

Along each side, tiles begin at multiples of a unit that is whole in pixels of the picture, in pixels of the network's
input and in cells of its logits. So neighbours see the same pixels at the same places of their inputs, and their logits
can be blended cell by cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.preprocessing import Fit
from atrous.core.errors import InvalidInputError, TooLargeError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing

AUTO, OFF = "auto", "off"
DEFAULT_OVERLAP, MOST_OVERLAP = 0.25, 0.9
LEAST_TILE_PX, MOST_TILES = 32, 4096
# Cutting pictures not much larger than a tile would cost passes and gain little.
CLEARLY_LARGER = 1.5
# What encoders divide their input by; shifted by that much, they see the same.
UNIT_INPUT_PX = 32
# Fewer units would leave no choice of the overlap.
LEAST_UNITS = 4
# A network is wrong about the rim of a tile, beyond which it sees nothing, so this share of an overlap is left out at
# either end; between them a cosine leads from one tile to the next.
LEFT_OUT = 0.25


@dataclass(frozen=True, slots=True)
class Tiling:
    """That a picture is to be seen tile by tile.

    Attributes:
        side_px: longer side of a tile in pixels of the picture, brought to what the network's grid allows; None for
            the size of the pictures that the model was trained on, and only where the picture is clearly larger.
        overlap: share of a tile's side that its neighbour sees too, at least.

    Raises:
        InvalidInputError: if a tile would be too small, or the overlap is no such share.
    """

    side_px: int | None = None
    overlap: float = DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        if self.side_px is not None and self.side_px < LEAST_TILE_PX:
            raise InvalidInputError(f"tile {self.side_px}: a tile is at least {LEAST_TILE_PX} pixels long")
        if not 0 <= self.overlap <= MOST_OVERLAP:
            raise InvalidInputError(f"tile_overlap {self.overlap:g}: it is a share from 0 to {MOST_OVERLAP}")


def parse_tiling(tile: str, overlap: float = DEFAULT_OVERLAP) -> Tiling | None:
    """Read `auto`, `off` (None) or the longer side of a tile in pixels.

    Raises:
        InvalidInputError: if the text is something else, or see `Tiling`.
    """
    word = tile.strip().lower()
    is_number = word.isascii() and word.isdigit() and len(word) <= 6
    if word not in {AUTO, OFF} and not is_number:
        raise InvalidInputError(
            f"tile {tile[:40]!r}: write auto, off or the longer side of a tile in pixels, such as 1024"
        )
    tiling = Tiling(int(word) if is_number else None, overlap)
    return None if word == OFF else tiling


@dataclass(frozen=True, slots=True)
class TileAxis:
    """The tiles along one side of an area.

    Attributes:
        starts: unit that each tile begins at, ascending from 0.
        units: length of a tile.
        unit_px: pixels of the picture in a unit.
        unit_cells: cells of logits in a unit, at most as many.
    """

    starts: tuple[int, ...]
    units: int
    unit_px: int
    unit_cells: int

    @property
    def tile_px(self) -> int:
        """Pixels of the picture that a tile covers."""
        return self.units * self.unit_px

    @property
    def tile_cells(self) -> int:
        """Cells of logits that a tile has."""
        return self.units * self.unit_cells

    @property
    def cells(self) -> int:
        """Cells of all tiles together; they reach past the area by less than a unit, or one tile does by more."""
        return (self.starts[-1] + self.units) * self.unit_cells


@dataclass(frozen=True, slots=True)
class Layout:
    """The tiles of an area, by rows and columns."""

    rows: TileAxis
    columns: TileAxis


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """The cells of the whole grid that a tile adds to, and how much; shares of all tiles in a cell sum to 1.

    Attributes:
        first: cell of the whole grid.
        skipped: cells of the tile before that.
        weights: float32 by cell, above 0.
    """

    first: int
    skipped: int
    weights: NDArray[np.float32]

    @property
    def last(self) -> int:
        """The cell after the last one."""
        return self.first + len(self.weights)

    @property
    def of_tile(self) -> slice:
        """The cells of the tile."""
        return slice(self.skipped, self.skipped + len(self.weights))


def choose_tile(area: Size, preprocessing: Preprocessing, tiling: Tiling, trained_on: Size | None) -> Size | None:
    """Find the tile for a picture of this size, in its pixels; None if the picture is to be seen whole.

    A tile has the shape in which the network saw pictures, so that it distorts what it sees no more than they were.

    Args:
        area: what the crop leaves of the picture.
        preprocessing: the model's.
        tiling: what is wished for.
        trained_on: the typical size of the pictures that the model was trained on, if it is known.
    """
    tile = _find_usual_tile(preprocessing, trained_on)
    if tiling.side_px is None:
        spare = CLEARLY_LARGER
    else:
        tile, spare = _scale(tile, tiling.side_px / max(tile.height, tile.width)), 1.0
    is_larger = area.height > spare * tile.height or area.width > spare * tile.width
    return tile if is_larger else None


def lay_tiles(area: Size, tile: Size, canvas: Size, grid: Size, overlap: float) -> Layout:
    """Spread tiles evenly over an area.

    Args:
        area: to be covered, in pixels of the picture.
        tile: of about this size there.
        canvas: the network's input.
        grid: the network's logits.
        overlap: see `Tiling`.

    Raises:
        TooLargeError: if there would be too many.
    """
    rows = _lay_axis(area.height, tile.height, canvas.height, grid.height, overlap)
    columns = _lay_axis(area.width, tile.width, canvas.width, grid.width, overlap)
    count = len(rows.starts) * len(columns.starts)
    if count > MOST_TILES:
        raise TooLargeError(
            f"tile {tile}: it takes {count} of them to see a picture of {area}, and {MOST_TILES} are the limit; use a "
            "larger tile or a smaller tile_overlap"
        )
    return Layout(rows, columns)


def share_cells(axis: TileAxis) -> tuple[Share, ...]:
    """Find what each tile adds to each cell of the whole grid; up to the area's borders nothing is left out."""
    total = np.zeros(axis.cells)
    windows: list[NDArray[np.float64]] = []
    for index, start in enumerate(axis.starts):
        windows.append(_make_window(axis, index))
        first = start * axis.unit_cells
        total[first : first + axis.tile_cells] += windows[-1]
    shares: list[Share] = []
    for start, window in zip(axis.starts, windows, strict=True):
        first = start * axis.unit_cells
        used = np.flatnonzero(window)
        kept = slice(int(used[0]), int(used[-1]) + 1)
        weights = window[kept] / total[first + kept.start : first + kept.stop]
        shares.append(Share(first + kept.start, kept.start, weights.astype(np.float32)))
    return tuple(shares)


def _find_usual_tile(preprocessing: Preprocessing, trained_on: Size | None) -> Size:
    canvas = preprocessing.size
    if trained_on is None or preprocessing.fit is Fit.CENTER_CROP:
        return canvas
    if preprocessing.fit is Fit.STRETCH:
        return trained_on
    return _scale(canvas, max(trained_on.height / canvas.height, trained_on.width / canvas.width))


def _scale(size: Size, scale: float) -> Size:
    return Size(height=max(1, round(size.height * scale)), width=max(1, round(size.width * scale)))


def _lay_axis(length_px: int, side_px: int, input_px: int, cells: int, overlap: float) -> TileAxis:
    if math.gcd(input_px, cells) < LEAST_UNITS:
        # Of an odd grid, whoever makes the logits brings them to the input's size.
        cells = input_px
    units = _choose_units(input_px, math.gcd(input_px, cells))
    unit_px = max(1, round(side_px / units))
    covered = max(units, -(-length_px // unit_px))
    # A hair more, so that shares which floats cannot hold are not cut to a unit less.
    step = max(1, math.floor(units * (1 - overlap) + 1e-6))
    gaps = -(-(covered - units) // step)
    starts = tuple(round(index * (covered - units) / gaps) for index in range(1, gaps + 1))
    return TileAxis((0, *starts), units, unit_px, min(cells // units, unit_px))


def _choose_units(input_px: int, most: int) -> int:
    """How many units a tile has: a divisor of `most`, of UNIT_INPUT_PX each if that can be."""
    divisors = [count for count in range(1, most + 1) if most % count == 0 and count >= LEAST_UNITS]
    fitting = [count for count in divisors if input_px >= UNIT_INPUT_PX * count]
    return max(fitting) if fitting else min(divisors, default=most)


def _make_window(axis: TileAxis, index: int) -> NDArray[np.float64]:
    """How much a tile counts in each of its cells, before that is shared."""
    window = np.ones(axis.tile_cells)
    start, end = axis.starts[index], axis.starts[index] + axis.units
    # In units from the tile's edge to the middle of each cell.
    distances = (np.arange(axis.tile_cells) + 0.5) / axis.unit_cells
    if index > 0:
        window *= _rise(distances, axis.starts[index - 1] + axis.units - start)
    if index + 1 < len(axis.starts):
        window *= _rise(distances[::-1], end - axis.starts[index + 1])
    return window


def _rise(distances: NDArray[np.float64], overlap: int) -> NDArray[np.float64]:
    """From 0 at a tile's edge to 1 where the overlap ends."""
    if not overlap:
        return np.ones_like(distances)
    inside = np.clip((distances / overlap - LEFT_OUT) / (1 - 2 * LEFT_OUT), 0, 1)
    return (1 - np.cos(np.pi * inside)) / 2
