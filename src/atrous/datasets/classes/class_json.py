"""Lists of classes as JSON, in the shapes that tools and people write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import orjson

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_entries import (
    MARKED_COLOUR,
    MAX_VALUE,
    ClassEntry,
    pack_colour,
    parse_colour,
    parse_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WRAPPERS = ("classes", "labels", "categories", "names", "class_names", "classNames", "label_map", "labelmap", "items")
NAME_KEYS = ("name", "title", "label", "class", "class_name", "category")
COLOUR_KEYS = ("color", "colour", "rgb", "hex")
VALUE_KEYS = ("value", "pixel_value", "id", "class_id", "index")
SHAPES = 'write {"road": 1}, {"1": "road"}, {"road": "#80ff00"} or [{"name": "road", "color": [128, 255, 0]}]'

Json: TypeAlias = dict[str, Any]


def read_json_entries(place: str, text: str) -> Iterator[ClassEntry]:
    """Classes of a JSON list or object; a list that gives neither values nor colours counts from 0.

    Raises:
        InvalidDatasetError: naming the line or entry that cannot be understood.
    """
    try:
        content: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidDatasetError(f"{place}: line {error.lineno}: is no JSON; correct it") from error
    if isinstance(content, dict):
        mapping = cast("Json", content)
        content = next((mapping[key] for key in WRAPPERS if isinstance(mapping.get(key), list | dict)), mapping)
    if isinstance(content, list):
        yield from _read_list(place, cast("list[Any]", content))
    elif isinstance(content, dict):
        for key, said in cast("Json", content).items():
            yield _read_pair(f"{place}: entry {key[:40]!r}", key, said)
    else:
        raise InvalidDatasetError(f"{place}: is no list of classes; {SHAPES}")


def _read_list(place: str, entries: list[Any]) -> Iterator[ClassEntry]:
    for position, entry in enumerate(entries):
        where = f"{place}: entry {position}"
        if isinstance(entry, str):
            yield ClassEntry(where, entry.strip(), parse_value(where, str(position)))
            continue
        name = _find(entry, NAME_KEYS)
        if not isinstance(name, str):
            raise InvalidDatasetError(f"{where}: has no name; {SHAPES}")
        value, colour = _read_details(where, cast("Json", entry))
        if value is None and colour is None:
            value = parse_value(where, str(position))
        yield ClassEntry(where, name.strip(), value, colour)


def _read_pair(where: str, key: str, said: Any) -> ClassEntry:
    if isinstance(said, dict):
        details = cast("Json", said)
        value, colour = _read_details(where, details)
        name = _find(details, NAME_KEYS)
        if isinstance(name, str) and value is None and key.isdecimal():
            value = parse_value(where, key)
        if value is None and colour is None:
            raise InvalidDatasetError(f"{where}: has neither a value nor a colour; {SHAPES}")
        return ClassEntry(where, name.strip() if isinstance(name, str) else key.strip(), value, colour)
    if isinstance(said, str) and key.strip().isdecimal() and not MARKED_COLOUR.fullmatch(said.strip()):
        return ClassEntry(where, said.strip(), parse_value(where, key.strip()))
    if isinstance(said, str) and not MARKED_COLOUR.fullmatch(said.strip()):
        return ClassEntry(where, said.strip(), colour=parse_colour(where, key))
    if type(said) is int and not key.strip().isdecimal():
        return ClassEntry(where, key.strip(), parse_value(where, str(said)))
    if isinstance(said, str | list):
        return ClassEntry(where, key.strip(), colour=_read_colour(where, said))
    raise InvalidDatasetError(f"{where}: is no class; {SHAPES}")


def _read_details(where: str, details: Json) -> tuple[int | None, int | None]:
    """Value and colour of a class, each if it is there."""
    said_colour = _find(details, COLOUR_KEYS)
    colour = None if said_colour is None else _read_colour(where, said_colour)
    value = _find(details, VALUE_KEYS)
    # Some tools number classes as rows of their database, which masks know nothing of.
    is_row_number = colour is not None and not (type(value) is int and 0 <= value <= MAX_VALUE)
    return None if value is None or is_row_number else parse_value(where, str(value)), colour


def _read_colour(where: str, said: Any) -> int:
    if isinstance(said, str):
        return parse_colour(where, said)
    return pack_colour(where, cast("list[Any]", said) if isinstance(said, list) else [said])


def _find(entry: Any, keys: tuple[str, ...]) -> Any:
    details = cast("Json", entry) if isinstance(entry, dict) else {}
    return next((details[key] for key in keys if details.get(key) is not None), None)
