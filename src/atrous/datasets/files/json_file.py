"""JSON files of datasets, whose content nobody vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import orjson

from atrous.datasets.files.tree import UnreadableFileError

if TYPE_CHECKING:
    from atrous.datasets.files.tree import File

Json: TypeAlias = dict[str, Any]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_SHOWN = 40  # characters of a value in a message


def read_json(file: File) -> Any:
    """The content of a file.

    Raises:
        UnreadableFileError: if it cannot be read or is no JSON.
    """
    try:
        return orjson.loads(file.read().removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise UnreadableFileError(f"is not JSON ({error})") from error


def get_text(holder: Any, key: str) -> str | None:
    """The text of a key, if `holder` is an object that has one."""
    value = _get(holder, key)
    return value if isinstance(value, str) else None


def get_whole_number(holder: Any, key: str) -> int | None:
    """The whole number of a key; true and false are none."""
    value = _get(holder, key)
    return value if type(value) is int else None


def get_number(holder: Any, key: str) -> float | None:
    """The number of a key; true and false are none."""
    value = _get(holder, key)
    return value if type(value) is int or type(value) is float else None


def get_list(holder: Any, key: str) -> list[Any]:
    """The list of a key; empty if there is none."""
    value = _get(holder, key)
    return cast("list[Any]", value) if isinstance(value, list) else []


def get_objects(holder: Any, key: str) -> list[Json]:
    """The objects in the list of a key."""
    return [cast("Json", one) for one in get_list(holder, key) if isinstance(one, dict)]


def get_object(holder: Any, key: str) -> Json:
    """The object of a key; empty if there is none."""
    value = _get(holder, key)
    return cast("Json", value) if isinstance(value, dict) else {}


def show_value(value: Any) -> str:
    """A value for a message, short whatever it is."""
    if value is None or isinstance(value, str | int | float):
        return repr(value)[:MAX_SHOWN]
    return "a list" if isinstance(value, list) else "an object"


def _get(holder: Any, key: str) -> Any:
    return cast("Json", holder).get(key) if isinstance(holder, dict) else None
