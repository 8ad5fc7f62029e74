"""Logits of overlapping tiles -> classes and confidence of the whole picture, a tile at a time.

Axes: K classes, h w cells of logits, H W the picture. What no later tile adds to is decoded at once, so that memory is
that of one tile and of the cells that the next row of tiles adds to, however large the picture is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from atrous.bundle.regions import Region
from atrous.core.sizes import Size
from atrous.runtime.pixels import Axis, Decoder
from atrous.runtime.stages import Stage, Stages
from atrous.runtime.tiling import share_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from atrous.runtime.crew import Crew
    from atrous.runtime.tiling import Layout, Share, TileAxis

# From the row and column of a tile to its logits_Khw, of as many cells as the layout says.
Score: TypeAlias = "Callable[[int, int], NDArray[np.float32]]"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Cells of the whole grid that a tile finished, with those around them that their pixels need.

    Attributes:
        grid_Khw: from cell `top`, `left` of the whole grid on.
        row, column: the tile's.
    """

    grid_Khw: NDArray[np.float32]
    top: int
    left: int
    row: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """A picture that is seen tile by tile.

    Attributes:
        picture: its size.
        area: the part that the tiles cover.
        layout: of the tiles on the area.
        score: sees a tile.
        stages: told what took how long.
    """

    picture: Size
    area: Region
    layout: Layout
    score: Score
    stages: Stages

    def fill(
        self,
        mask_HW: NDArray[np.uint8],
        confidence_HW: NDArray[Any],
        *,
        threshold: float,
        error: float,
        crew: Crew,
    ) -> None:
        """Blend the logits of all tiles and write the area's part of arrays of the picture's size.

        Args:
            mask_HW: class ids.
            confidence_HW: float32 for 0 to 1, uint8 for 0 to 255.
            threshold: pixels of less confidence become background of confidence 0.
            error: how far confidence may be off, for the sake of speed.
            crew: threads that help.
        """
        rows = _Pixels(self.area.size.height, self.layout.rows)
        columns = _Pixels(self.area.size.width, self.layout.columns)
        for block in _blend(rows.shares, columns.shares, self.score, self.stages):
            window = _find_window(block, rows, columns, self.area)
            if window is not None:
                axes = rows.locate(block.row, block.top), columns.locate(block.column, block.left)
                with self.stages.time(Stage.PIXELS):
                    Decoder(block.grid_Khw, window, threshold, error, axes).fill(mask_HW, confidence_HW, crew)


class _Pixels:
    """Where the pixels along a side of the area lie on the grid, and which of them each tile finishes."""

    def __init__(self, length_px: int, axis: TileAxis) -> None:
        self.shares = share_cells(axis)
        centres = (np.arange(length_px) + 0.5) * (axis.unit_cells / axis.unit_px) - 0.5
        inside = np.clip(centres, 0, axis.cells - 1)
        self._before = np.floor(inside).astype(np.int32)
        self._share_after = (inside - self._before).astype(np.float32)
        # A pixel is between two cells, so it waits for both.
        finished = [int(np.searchsorted(self._before, share.first - 1)) for share in self.shares[1:]]
        self.ends = [0, *finished, length_px]

    def locate(self, tile: int, first_cell: int) -> Axis:
        """The pixels that a tile finishes, on a grid that begins at a cell."""
        pixels = slice(self.ends[tile], self.ends[tile + 1])
        return Axis(self._before[pixels] - np.int32(first_cell), self._share_after[pixels])


def _find_window(block: Block, rows: _Pixels, columns: _Pixels, area: Region) -> Region | None:
    """The pixels that a tile finishes, if there are any."""
    top, bottom = rows.ends[block.row : block.row + 2]
    left, right = columns.ends[block.column : block.column + 2]
    if bottom <= top or right <= left:
        return None
    return Region(area.top + top, area.left + left, Size(height=bottom - top, width=right - left))


def _blend(rows: Sequence[Share], columns: Sequence[Share], score: Score, stages: Stages) -> Generator[Block]:
    """The blocks of the grid, each as soon as no tile to come adds to it."""
    # Of the first cells that the next tile adds to, the one before is still needed.
    tops, lefts = _list_starts(rows), _list_starts(columns)
    above_Khw: NDArray[np.float32] | None = None
    for r, row in enumerate(rows):
        below_Khw: NDArray[np.float32] | None = None
        beside_Khw: NDArray[np.float32] | None = None
        for c, column in enumerate(columns):
            logits_Khw = score(r, c)
            with stages.time(Stage.PIXELS):
                grid_Khw = np.zeros((len(logits_Khw), row.last - tops[r], column.last - lefts[c]), np.float32)
                _carry(grid_Khw, above_Khw, beside_Khw, lefts[c])
                weights_hw = row.weights[:, None] * column.weights
                added_Khw = grid_Khw[:, row.first - tops[r] :, column.first - lefts[c] :]
                added_Khw += logits_Khw[:, row.of_tile, column.of_tile] * weights_hw
                if below_Khw is None:
                    below_Khw = np.empty((len(grid_Khw), row.last - tops[r + 1], columns[-1].last), np.float32)
                below_Khw[:, :, lefts[c] : column.last] = grid_Khw[:, tops[r + 1] - tops[r] :]
                beside_Khw = grid_Khw[:, :, lefts[c + 1] - lefts[c] :]
            yield Block(grid_Khw, tops[r], lefts[c], r, c)
        above_Khw = below_Khw


def _list_starts(shares: Sequence[Share]) -> list[int]:
    """The first cell that each tile's block holds, then the end of the grid."""
    return [*(max(share.first - 1, 0) for share in shares), shares[-1].last]


def _carry(
    grid_Khw: NDArray[np.float32],
    above_Khw: NDArray[np.float32] | None,
    beside_Khw: NDArray[np.float32] | None,
    left: int,
) -> None:
    """Copy what tiles before have added: the one on the left, and in the columns that it had not, those above."""
    known = 0
    if beside_Khw is not None:
        known = beside_Khw.shape[2]
        grid_Khw[:, :, :known] = beside_Khw
    if above_Khw is not None:
        grid_Khw[:, : above_Khw.shape[1], known:] = above_Khw[:, :, left + known : left + grid_Khw.shape[2]]
