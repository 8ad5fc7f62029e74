"""Lists of classes as plain text: CVAT's label map, colours before names, or a name a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_entries import ClassEntry, parse_colour, parse_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CVAT_HEADER = re.compile(r"#\s*label:color_rgb")
CVAT_LINE = re.compile(r"(.*?):(\d+,\d+,\d+)?:(.*?):(.*)")
COLOUR_LINE = re.compile(r"(\d+[ \t,]+\d+[ \t,]+\d+)[ \t,]+(\D.*)")
VALUE_LINE = re.compile(r"(\d+)[ \t]*[ \t:=,;][ \t]*(\D.*)")
# The first line of labelme's labels.txt, which counts from -1 and writes that as 255.
IGNORED = "__ignore__"
IGNORED_VALUE = 255


def read_text_entries(place: str, lines: Sequence[str]) -> Iterator[ClassEntry]:
    """Classes of a text: the number of a name's line, from 0, is its value unless the lines say more.

    Raises:
        InvalidDatasetError: naming the line that cannot be understood.
    """
    numbered = [(f"{place}: line {number}", line.strip()) for number, line in enumerate(lines, start=1)]
    while numbered and not numbered[-1][1]:
        numbered.pop()
    filled = [(where, line) for where, line in numbered if line and not line.startswith("#")]
    if any(CVAT_HEADER.match(line) for line in lines) or _all_match(CVAT_LINE, filled):
        yield from _read_label_map(filled)
    elif _all_match(COLOUR_LINE, filled):
        for where, line in filled:
            colour, name = COLOUR_LINE.sub(r"\1\n\2", line).split("\n")
            yield ClassEntry(where, name, colour=parse_colour(where, colour))
    elif _all_match(VALUE_LINE, filled):
        for where, line in filled:
            value, name = VALUE_LINE.sub(r"\1\n\2", line).split("\n")
            yield ClassEntry(where, name, parse_value(where, value))
    else:
        yield from _read_names(numbered)


def _all_match(pattern: re.Pattern[str], lines: Sequence[tuple[str, str]]) -> bool:
    return bool(lines) and all(pattern.fullmatch(line) for _, line in lines)


def _read_label_map(lines: Sequence[tuple[str, str]]) -> Iterator[ClassEntry]:
    for where, line in lines:
        found = CVAT_LINE.fullmatch(line)
        if not found or not found[2]:
            raise InvalidDatasetError(f"{where}: has no colour; write it as road:128,64,128::")
        yield ClassEntry(where, found[1].strip(), colour=parse_colour(where, found[2]))


def _read_names(lines: Sequence[tuple[str, str]]) -> Iterator[ClassEntry]:
    is_from_minus_one = bool(lines) and lines[0][1] == IGNORED
    for position, (where, name) in enumerate(lines):
        if not name:
            raise InvalidDatasetError(f"{where}: is empty, so the values of the names after it are unsure; remove it")
        if is_from_minus_one:
            yield ClassEntry(where, name, position - 1 if position else IGNORED_VALUE)
        else:
            yield ClassEntry(where, name, parse_value(where, str(position)))
