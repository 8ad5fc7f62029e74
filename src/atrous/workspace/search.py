"""What pictures are searched by, as plain values: conditions joined by and, or, not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from atrous.workspace.records import Picture


class Field(StrEnum):
    """What a condition is about.

    `MIN_WIDTH` and its like compare numbers, `LABELLED` is `true` or `false`. `FILENAME` knows `*` and no case of
    letters A to Z, `CLASS` is the name of a class in any case, `METADATA` asks for `name` or `name=value`. `BATCH` and
    `JOB` without a value hold for pictures that are in none.
    """

    TAG = "tag"
    CLASS = "class"
    SPLIT = "split"
    JOB = "job"
    BATCH = "batch"
    FILENAME = "filename"
    METADATA = "metadata"
    PROJECT = "project"
    ID = "id"
    MIN_WIDTH = "min-width"
    MAX_WIDTH = "max-width"
    MIN_HEIGHT = "min-height"
    MAX_HEIGHT = "max-height"
    LABELLED = "labelled"


class Order(StrEnum):
    """How results are sorted; the id decides between equals."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    NAME_DOWN = "name-down"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a picture must have."""

    field: Field
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """What a picture must not fulfil."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of which a picture must fulfil; no parts hold for every picture."""

    parts: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """One of which a picture must fulfil."""

    parts: tuple[Expression, ...]


Expression = Condition | Not | And | Or
EVERYTHING = And()
NOTHING = Or(())


@dataclass(frozen=True, slots=True)
class Mark:
    """The last picture of a page, as its order knows it, for the page after it.

    Attributes:
        value: its name; or when it came, if it is sorted by that.
    """

    value: datetime | str | None
    id: str


@dataclass(frozen=True, slots=True)
class Search:
    """A page of pictures of a workspace.

    Attributes:
        project: slug of the only project that is searched; None for all.
        after: only pictures after this one, which need not be there any more; pictures that came meanwhile move none.
    """

    where: Expression = EVERYTHING
    project: str | None = None
    order: Order = Order.NEWEST
    offset: int = 0
    limit: int = 100
    after: Mark | None = None


def mark_picture(picture: Picture, order: Order) -> Mark:
    """The mark of a page's last picture."""
    by_name = order in {Order.NAME, Order.NAME_DOWN}
    return Mark(picture.name if by_name else picture.created, picture.id)


def as_text(value: object) -> str:
    """A value of a picture's metadata as `metadata:name=value` asks for it: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
