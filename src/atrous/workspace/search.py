"""What pictures are searched by, as plain values: conditions joined by and, or, not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """What a condition is about.

    `MIN_WIDTH` and its like compare numbers, `FILENAME` knows `*`, `METADATA` asks for `name` or `name=value`, `CLASS`
    for the name of a class.
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


@dataclass(frozen=True, slots=True)
class Search:
    """A page of pictures of a workspace.

    Attributes:
        project: slug of the only project that is searched; None for all.
    """

    where: Expression = EVERYTHING
    project: str | None = None
    order: Order = Order.NEWEST
    offset: int = 0
    limit: int = 100
