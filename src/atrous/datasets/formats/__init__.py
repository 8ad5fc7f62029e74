"""Dataset formats, one file each, strangers to each other: FORMATS is the table of them.

A format is two functions: `recognise` looks at names only and is quick; `read` gives what is there without opening
pictures. A new format is one file, one line here and one fixture generator in its contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError, InvalidInputError
from atrous.datasets.formats import coco, png_masks, roboflow_png

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atrous.datasets.source import Source

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Format:
    """How one format is told from others and read.

    Attributes:
        description: what a folder of this format holds, in a line.
        recognise: whether a folder is of this format.
        read: its classes, pictures and labels; raises InvalidDatasetError if its lists cannot be read.
    """

    description: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path], Source]


FORMATS: dict[str, Format] = {
    "png-masks": Format(png_masks.DESCRIPTION, png_masks.recognise, png_masks.read),
    "roboflow-png": Format(roboflow_png.DESCRIPTION, roboflow_png.recognise, roboflow_png.read),
    "coco": Format(coco.DESCRIPTION, coco.recognise, coco.read),
}


def recognise_format(folder: Path) -> str:
    """The name of the one format that a folder is of.

    Raises:
        InvalidDatasetError: if none fits, saying what was looked for, or more than one does.
    """
    _check_folder(folder)
    fitting = [name for name, known in FORMATS.items() if known.recognise(folder)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidDatasetError(
            f"{folder}: could be {' or '.join(fitting)}; say which one with --format {fitting[0]}"
        )
    looked_for = "; ".join(f"{name}: {known.description}" for name, known in FORMATS.items())
    raise InvalidDatasetError(f"{folder}: no known dataset format; looked for {looked_for}")


def read_source(folder: Path, format_name: str = AUTO) -> tuple[str, Source]:
    """Read a folder as the format of this name, or as the one it is recognised as; give that name too.

    Raises:
        InvalidInputError: if there is no format of this name.
        InvalidDatasetError: if the folder is not of that format.
    """
    if format_name == AUTO:
        format_name = recognise_format(folder)
        return format_name, FORMATS[format_name].read(folder)
    if format_name not in FORMATS:
        raise InvalidInputError(f"format {format_name!r}: use {AUTO}, {', '.join(FORMATS)}")
    _check_folder(folder)
    if not FORMATS[format_name].recognise(folder):
        raise InvalidDatasetError(f"{folder}: is not {format_name}; looked for {FORMATS[format_name].description}")
    return format_name, FORMATS[format_name].read(folder)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InvalidDatasetError(f"{folder}: is not a folder; give the folder that the dataset was unpacked to")
