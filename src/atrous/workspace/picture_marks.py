"""What people say about a picture besides its label: name, tags, metadata, batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError
from atrous.datasets.labelled_file import drop_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_NAME_LENGTH = 255
MAX_BATCH_LENGTH = 200
MAX_TAGS = 100
MAX_TAG_LENGTH = 100
MAX_FIELDS = 100
MAX_FIELD_LENGTH = 100
MAX_VALUE_LENGTH = 1000
MAX_NUMBER = 2**53
NAMELESS = "picture"


def tidy_name(name: str) -> str:
    """The name of a picture: without folders, and without what no terminal can show.

    Raises:
        InvalidInputError: if it is longer than 255 characters.
    """
    plain = drop_folders("".join(one for one in name if one.isprintable())).strip()
    if len(plain) > MAX_NAME_LENGTH:
        raise InvalidInputError(f"name {plain[:50]!r}...: is longer than {MAX_NAME_LENGTH} characters; shorten it")
    return plain if plain.strip(".") else NAMELESS


def tidy_batch(name: str) -> str:
    """The name of a batch, on one line.

    Raises:
        InvalidInputError: if it is longer than 200 characters.
    """
    return _tidy(name, "batch", MAX_BATCH_LENGTH)


def tidy_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, in order, without empty ones.

    Raises:
        InvalidInputError: if there are too many, or one is too long.
    """
    tidy = tuple(dict.fromkeys(filter(None, (_tidy(tag, "tag", MAX_TAG_LENGTH) for tag in tags))))
    if len(tidy) > MAX_TAGS:
        raise InvalidInputError(f"tags: {len(tidy)} were given; {MAX_TAGS} is the most")
    return tidy


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Let texts, numbers and truth values by name pass.

    Raises:
        InvalidInputError: naming the field that is something else, or too long.
    """
    if len(metadata) > MAX_FIELDS:
        raise InvalidInputError(f"metadata: has {len(metadata)} fields; {MAX_FIELDS} is the most")
    for name, value in metadata.items():
        if not name or len(name) > MAX_FIELD_LENGTH or not name.isprintable():
            raise InvalidInputError(f"metadata field {name[:50]!r}: use 1 to {MAX_FIELD_LENGTH} printable characters")
        if not _may_keep(value):
            raise InvalidInputError(
                f"metadata field {name!r}: use a text of at most {MAX_VALUE_LENGTH} characters, a number or true or "
                "false"
            )
    return dict(metadata)


def _may_keep(value: Any) -> bool:
    match value:
        case str():
            return len(value) <= MAX_VALUE_LENGTH and "\0" not in value
        case bool():
            return True
        case int() | float():
            return abs(value) <= MAX_NUMBER
        case _:
            return False


def _tidy(text: str, what: str, most: int) -> str:
    tidy = "".join(one for one in " ".join(text.split()) if one.isprintable())
    if len(tidy) > most:
        raise InvalidInputError(f"{what} {tidy[:50]!r}...: is longer than {most} characters; shorten it")
    return tidy
