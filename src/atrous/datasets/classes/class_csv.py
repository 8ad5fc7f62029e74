"""Lists of classes as csv: columns of values, names and colours in any order, with a header or without."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_entries import (
    EXAMPLE,
    MARKED_COLOUR,
    ClassEntry,
    pack_colour,
    parse_colour,
    parse_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# In order of preference: `class` is the name beside an id, but the value beside a name.
NAME_HEADERS = ("name", "class name", "classname", "label name", "title", "category", "class", "label")
VALUE_HEADERS = (
    *("pixel value", "value", "mask value", "id", "class id", "classid", "label id", "labelid", "category id"),
    *("index", "idx", "class index", "pixel", "class", "label"),
)
CHANNEL_HEADERS = (("r", "red"), ("g", "green"), ("b", "blue"))
COLOUR_HEADERS = ("color", "colour", "rgb", "hex", "hex color", "hex colour", "color hex", "rgb color", "color code")
NUMBER = re.compile(r"-?\d+")
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which cell of a row holds what: `colour` is one cell, or three of red, green and blue."""

    name: int
    value: int | None = None
    colour: tuple[int, ...] = ()


# By the kinds of cells of the first row: n number, c colour with its sign, t text.
COLUMNS_BY_KINDS = {
    "t": _Columns(0),
    "nt": _Columns(1, 0),
    "nn": _Columns(1, 0),
    "tn": _Columns(0, 1),
    "tc": _Columns(0, colour=(1,)),
    "ct": _Columns(1, colour=(0,)),
    "ntc": _Columns(1, 0, (2,)),
    "nct": _Columns(2, 0, (1,)),
    "tnc": _Columns(0, 1, (2,)),
    "tnnn": _Columns(0, colour=(1, 2, 3)),
    "nnnt": _Columns(3, colour=(0, 1, 2)),
    "ntnnn": _Columns(1, 0, (2, 3, 4)),
    "nnnnt": _Columns(4, 0, (1, 2, 3)),
}


def read_csv_entries(place: str, lines: Sequence[str]) -> Iterator[ClassEntry]:
    """Classes of a csv; where it gives neither values nor colours, the first name has value 0, the next 1.

    Raises:
        InvalidDatasetError: naming the line that cannot be understood.
    """
    rows = _split_rows(lines)
    if not rows:
        return
    columns, width = _read_header(rows[0][1]), len(rows[0][1])
    if columns or _is_header(rows[0][1]):
        rows = rows[1:]
    for position, (number, cells) in enumerate(rows):
        where = f"{place}: line {number}"
        if columns is None:
            columns, width = _guess_columns(where, cells), len(cells)
        if len(cells) > width:
            raise InvalidDatasetError(
                f"{where}: has more than a value and a name; put a name that holds the separator in double quotes"
            )
        yield _read_row(where, cells, columns, position)


def _split_rows(lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Rows with their line numbers, cells stripped; no empty rows, no empty cells at an end."""
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((one for one in DELIMITERS if one in first), ",")
    rows: list[tuple[int, list[str]]] = []
    for number, row in enumerate(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), start=1):
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            rows.append((number, cells))
    return rows


def _read_header(cells: Sequence[str]) -> _Columns | None:
    places: dict[str, int] = {}
    for place, cell in enumerate(cells):
        places.setdefault(" ".join(cell.casefold().replace("_", " ").split()), place)
    name = next((places[one] for one in NAME_HEADERS if one in places), None)
    if name is None:
        return None
    value = next((places[one] for one in VALUE_HEADERS if places.get(one, name) != name), None)
    channels = tuple(places[one] for names in CHANNEL_HEADERS for one in names if one in places)
    colour = tuple(places[one] for one in COLOUR_HEADERS if one in places)[:1]
    return _Columns(name, value, channels if len(channels) == 3 else colour)


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a first row of unknown words stands above rows of another kind; a lone word is a name."""
    return len(cells) > 1 and set(_kinds(cells)) == {"t"}


def _kinds(cells: Sequence[str]) -> str:
    return "".join("n" if NUMBER.fullmatch(cell) else "c" if MARKED_COLOUR.fullmatch(cell) else "t" for cell in cells)


def _guess_columns(where: str, cells: Sequence[str]) -> _Columns:
    columns = COLUMNS_BY_KINDS.get(_kinds(cells))
    if columns is None and _kinds(cells) == "n":
        raise InvalidDatasetError(f"{where}: value {cells[0][:40]} has no class name; {EXAMPLE}")
    if columns is None and _kinds(cells).startswith("nt"):
        columns = COLUMNS_BY_KINDS["nt"]
    if columns is None:
        raise InvalidDatasetError(f"{where}: {cells[0][:40]!r} is not a pixel value; {EXAMPLE}, or 1,road,128,64,128")
    return columns


def _read_row(where: str, cells: Sequence[str], columns: _Columns, position: int) -> ClassEntry:
    def cell(place: int) -> str:
        return cells[place] if place < len(cells) else ""

    name = cell(columns.name)
    value = None if columns.value is None else parse_value(where, cell(columns.value))
    if columns.value is None and not columns.colour:
        value = position
    match columns.colour:
        case ():
            colour = None
        case (place,):
            colour = parse_colour(where, cell(place))
        case places:
            colour = pack_colour(where, [int(text) if text.isdecimal() else text for text in map(cell, places)])
    return ClassEntry(where, name, value, colour)
