"""Steps of a version's settings, read from plain values with limits, and written back.

A step is a frozen dataclass whose fields are made by `number`, `whole`, `switch` or `choice`. In JSON it is an object
of its fields, perhaps with `enabled`; a step that needs no field may be `true`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MAX_SHOWN = 60

Step = TypeVar("Step")


def number(least: float, most: float, *, default: Any = MISSING, key: str = "") -> Any:
    """A field that holds a number within limits."""
    return _make_field(partial(_read_number, least=least, most=most), default, key)


def whole(least: int, most: int, *, default: Any = MISSING, key: str = "") -> Any:
    """A field that holds a whole number within limits."""
    return _make_field(partial(_read_whole, least=least, most=most), default, key)


def switch(*, default: Any = MISSING, key: str = "") -> Any:
    """A field that is true or false."""
    return _make_field(read_switch, default, key)


def choice(words: Mapping[str, Enum], *, default: Any = MISSING, key: str = "") -> Any:
    """A field that is one of some words, in whatever case; the first word of a value is the one it is written by."""
    return _make_field(partial(_read_choice, words=words), default, key, words)


def read_step(step: type[Step], value: Any, place: str) -> Step | None:
    """Read a step; None if it is not to be taken.

    Args:
        step: its dataclass.
        value: what the settings hold for it.
        place: what to call it in messages.

    Raises:
        InvalidInputError: naming the place, if a field is unknown, missing or over its limits.
    """
    content = open_step(value, place)
    if content is None:
        return None
    known = {_key_of(one): one for one in fields(cast("Any", step))}
    check_keys(content, known, place)
    values: dict[str, Any] = {}
    for key, one in known.items():
        is_given = content.get(key) is not None
        if is_given:
            values[one.name] = one.metadata["read"](content[key], f"{place}.{key}")
        elif one.default is MISSING:
            raise InvalidInputError(f"{place}: lacks {key!r}; its keys are {', '.join(known)}")
    return step(**values)


def open_step(value: Any, place: str) -> dict[str, Any] | None:
    """What a step holds besides `enabled`; None if it is not to be taken.

    Raises:
        InvalidInputError: if it is neither a switch nor an object.
    """
    if value is None or value is False:
        return None
    content = {} if value is True else dict(read_object(value, place))
    return content if read_switch(content.pop("enabled", True), f"{place}.enabled") else None


def write_step(step: Any) -> dict[str, Any]:
    """A step as plain values, in the form that stored versions have."""
    content: dict[str, Any] = {"enabled": True}
    for one in fields(step):
        value = getattr(step, one.name)
        content[_key_of(one)] = write_choice(value, one.metadata["words"]) if isinstance(value, Enum) else value
    return content


def write_choice(value: Enum, words: Mapping[str, Enum]) -> str:
    """The first word for a value."""
    return next(word for word, meant in words.items() if meant is value)


def read_object(value: Any, place: str) -> Mapping[str, Any]:
    """Give an object back.

    Raises:
        InvalidInputError: if it is something else.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{place}: is {show(value)}; send an object")
    return cast("Mapping[str, Any]", value)


def read_switch(value: Any, place: str) -> bool:
    """Give true or false back.

    Raises:
        InvalidInputError: if it is something else.
    """
    if not isinstance(value, bool):
        raise InvalidInputError(f"{place}: is {show(value)}; send true or false")
    return value


def check_keys(content: Mapping[str, Any], known: Collection[str], place: str) -> None:
    """Let an object pass that has known keys alone.

    Raises:
        InvalidInputError: naming the first other one.
    """
    for key in content:
        if key not in known:
            listed = f"its keys are {', '.join(known)}" if known else "it has none"
            raise InvalidInputError(f"{place}: has no key {show(key)}; {listed}")


def show(value: Any) -> str:
    """A value of a caller's, short enough for a message."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _make_field(
    read: Callable[[Any, str], Any], default: Any, key: str, words: Mapping[str, Enum] | None = None
) -> Any:
    metadata = {"read": read, "key": key, "words": words or {}}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def _key_of(one: Any) -> str:
    return one.metadata["key"] or one.name


def _read_number(value: Any, place: str, *, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidInputError(f"{place}: is {show(value)}; send a number from {least:g} to {most:g}")
    return value


def _read_whole(value: Any, place: str, *, least: int, most: int) -> int:
    found = _read_number(value, place, least=least, most=most)
    if math.floor(found) != found:
        raise InvalidInputError(f"{place}: is {show(value)}; send a whole number from {least} to {most}")
    return int(found)


def _read_choice(value: Any, place: str, *, words: Mapping[str, Enum]) -> Enum:
    meant = {word.casefold(): choice for word, choice in words.items()}
    if not isinstance(value, str) or value.strip().casefold() not in meant:
        raise InvalidInputError(f"{place}: is {show(value)}; send one of {', '.join(map(repr, words))}")
    return meant[value.strip().casefold()]
