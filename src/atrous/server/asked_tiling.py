"""The fields by which a request has a large picture seen tile by tile."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, FiniteFloat, WithJsonSchema

from atrous.core.errors import InvalidInputError
from atrous.runtime.tiling import AUTO, DEFAULT_OVERLAP, LEAST_TILE_PX, MOST_OVERLAP, OFF, Tiling, parse_tiling


def _check_tile(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        parse_tiling(text)
    except InvalidInputError as error:
        raise ValueError(str(error)) from error
    return text


def _write_number(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Tile = Annotated[
    str | None,
    WithJsonSchema({"anyOf": [{"type": "string", "enum": [AUTO, OFF]}, {"type": "integer", "minimum": LEAST_TILE_PX}]}),
    BeforeValidator(_write_number),
    AfterValidator(_check_tile),
]


class AskedTiling(BaseModel):
    """Whether a picture far larger than the network's input is cut into tiles, as no stock server does."""

    tile: Annotated[
        Tile,
        Field(
            description="`auto` cuts a large picture into tiles as large as those that the model was trained on, a "
            "number into tiles of so many pixels; `off` has the network see the whole picture at once."
        ),
    ] = None
    tile_overlap: Annotated[
        FiniteFloat | None,
        Field(ge=0, le=MOST_OVERLAP, description="Share of a tile that its neighbour sees too."),
    ] = None

    def tiling(self, default: str) -> Tiling | None:
        """How the picture is to be cut; None if it is not.

        Args:
            default: what a request that says nothing gets, `auto` or `off`.
        """
        overlap = DEFAULT_OVERLAP if self.tile_overlap is None else self.tile_overlap
        return parse_tiling(self.tile or default, overlap)
