"""The csv of class names that goes with class-id masks: `Pixel Value,Class`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError

if TYPE_CHECKING:
    from pathlib import Path

TABLE_NAMES = ("classes.csv", "_classes.csv")
MAX_VALUE = 255
EXAMPLE = "write one line a class, such as 1,road"


def find_class_table(folder: Path) -> Path | None:
    """The csv of class names directly in a folder."""
    return next((folder / name for name in TABLE_NAMES if (folder / name).is_file()), None)


def read_class_table(path: Path) -> dict[int, str]:
    """Read pixel values and their class names, in order of value.

    The header is optional, spaces around cells are not part of them, and `;` separates as well as `,`.

    Raises:
        InvalidDatasetError: naming the line, if it is no such table.
    """
    lines = _read_lines(path)
    delimiter = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
    classes: dict[int, str] = {}
    for number, row in enumerate(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and not cells[0].isdecimal()):
            continue
        value, name = _read_row(f"{path}: line {number}", cells)
        if value in classes:
            raise InvalidDatasetError(f"{path}: line {number} names value {value} a second time; keep one of the lines")
        classes[value] = name
    if not classes:
        raise InvalidDatasetError(f"{path}: names no class; {EXAMPLE}")
    return dict(sorted(classes.items()))


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidDatasetError(f"{path}: is not UTF-8 text; save it as csv in UTF-8") from error
    except OSError as error:
        raise InvalidDatasetError(f"{path}: cannot be read ({error.strerror}); check that it may be read") from error


def _read_row(where: str, cells: list[str]) -> tuple[int, str]:
    value, name, *rest = [*cells, ""]
    if not (value.isascii() and value.isdecimal()) or int(value) > MAX_VALUE:
        raise InvalidDatasetError(f"{where}: {value[:40]!r} is not a pixel value of 0 to {MAX_VALUE}; {EXAMPLE}")
    if not name:
        raise InvalidDatasetError(f"{where}: value {value} has no class name; {EXAMPLE}")
    if any(rest):
        raise InvalidDatasetError(
            f"{where}: has more than a value and a name; put a name that holds the separator in double quotes"
        )
    return int(value), name
