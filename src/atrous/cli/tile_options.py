"""The options of all commands that may see large pictures tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from atrous.core.errors import InvalidInputError
from atrous.runtime.tiling import AUTO, DEFAULT_OVERLAP, MOST_OVERLAP, OFF, parse_tiling

if TYPE_CHECKING:
    from atrous.runtime.tiling import Tiling

TileOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="auto, off or pixels: see large pictures in overlapping tiles with sides of so many pixels."),
]
OverlapOption: TypeAlias = Annotated[
    float | None,
    typer.Option(min=0.0, max=MOST_OVERLAP, help=f"Share of a tile that its neighbour sees too; {DEFAULT_OVERLAP:g}."),
]


def choose_tiling(tile: str | None, overlap: float | None) -> Tiling | None:
    """How pictures are to be cut; None if they are not.

    Raises:
        InvalidInputError: if the options are no wish, or only the overlap is given.
    """
    if tile is None and overlap is not None:
        raise InvalidInputError("--tile-overlap: says nothing alone; give --tile auto or --tile PIXELS too")
    return parse_tiling(tile or OFF, DEFAULT_OVERLAP if overlap is None else overlap)


def describe_tile(tiling: Tiling | None) -> str:
    """A wish in the words of the option."""
    if tiling is None:
        return OFF
    return AUTO if tiling.side_px is None else str(tiling.side_px)
