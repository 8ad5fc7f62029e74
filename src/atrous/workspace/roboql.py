r"""RoboQL, the language that pictures are searched in, as far as no picture has to be understood for it.

    query      = any
    any        = all { "OR" all }
    all        = one { ["AND"] one }
    one        = ("NOT" | "-") one | "(" any ")" | condition
    condition  = field ":" value | words

Values and words with spaces, or that mean something else, stand in `"quotes"`, in which `\"` is a quote. Words alone
are looked for in file names; `*` there stands for any characters, and alone for every picture. `sort:` stands anywhere
outside of parentheses, once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from atrous.core.errors import InvalidInputError
from atrous.datasets.splits import SPLIT_NAMES
from atrous.workspace.search import EVERYTHING, And, Condition, Expression, Field, Not, Or, Order

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

MAX_LENGTH = 4000
MAX_CONDITIONS = 100
MAX_DEPTH = 30
TOKEN = re.compile(
    r"""
    (?P<before>\s*) (?: (?P<mark>[()]|-(?=[^\s)]))
      | (?P<field>[A-Za-z][A-Za-z_-]*): (?P<value>"(?:[^"\\]|\\.)*"|[^\s()"]*+(?!"))
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<word>[^\s()"]++(?!")) )
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
FIELDS = {field.value: field for field in Field} | {"annotated": Field.LABELLED, "labeled": Field.LABELLED}
NEEDING_EYES = ("like-image", "similar", "prompt")
ORDERS = {order.value: order for order in Order} | {
    "-name": Order.NAME_DOWN,
    "created": Order.OLDEST,
    "-created": Order.NEWEST,
}
TRUTHS = {"true": "true", "yes": "true", "false": "false", "no": "false"}
SIDES = frozenset({Field.MIN_WIDTH, Field.MAX_WIDTH, Field.MIN_HEIGHT, Field.MAX_HEIGHT})
MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Query:
    """What a text asks for."""

    where: Expression = EVERYTHING
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True)
class _Token:
    """A mark (`(`, `)`, `-`), an operator in capitals or a condition, and where it starts."""

    place: int
    mark: str = ""
    condition: Expression | None = None
    order: Order | None = None


def parse_query(text: str) -> Query:
    """Read a query; an empty one asks for everything, the newest first.

    Raises:
        InvalidInputError: naming the place, if it is no query, is too long, or needs pictures to be understood.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidInputError(f"query: has {len(text)} characters; send at most {MAX_LENGTH}")
    tokens = _split(text)
    orders = [token for token in tokens if token.order]
    if len(orders) > 1:
        raise _bad(orders[1].place, "a second sort:; keep one")
    parser = _Parser([token for token in tokens if not token.order], len(text))
    return Query(parser.parse(), orders[0].order or Order.NEWEST) if orders else Query(parser.parse())


class _Parser:
    """Goes through tokens once, from left to right."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = _Token(length, mark="end")
        self._depth = 0

    def parse(self) -> Expression:
        """The whole."""
        if not self._tokens:
            return EVERYTHING
        found = self._any()
        if self._peek().mark == ")":
            raise _bad(self._peek().place, "a ')' that nothing opens; remove it")
        return found

    def _any(self) -> Expression:
        parts = [self._all()]
        while self._peek().mark == "OR":
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Expression:
        parts = [self._one()]
        while self._peek().mark not in {"OR", ")", "end"}:
            if self._peek().mark == "AND":
                self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Expression:
        token = self._take()
        if token.condition is not None:
            return token.condition
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _bad(token.place, f"more than {MAX_DEPTH} parentheses and NOTs in each other; ask for less at a time")
        if token.mark in {"NOT", "-"}:
            found = Not(self._one())
        elif token.mark == "(":
            found = self._any()
            self._close(token)
        else:
            raise _bad(token.place, f"{_name(token)} where a condition should be, such as tag:night")
        self._depth -= 1
        return found

    def _close(self, opening: _Token) -> None:
        if self._take().mark != ")":
            raise _bad(opening.place, "a '(' that nothing closes; add ')'")

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token


def _split(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    depth = place = 0
    end = len(text.rstrip())
    while place < end:
        found = TOKEN.match(text, place)
        if found is None:
            raise _bad(
                text.index('"', place), "a quote that is not closed, or opens inside of a word; add another or a space"
            )
        token = _read(found)
        depth += {"(": 1, ")": -1}.get(token.mark, 0)
        if token.order and depth:
            raise _bad(token.place, "sort: inside of parentheses; put it at the end")
        tokens.append(token)
        place = found.end()
    if sum(token.condition is not None for token in tokens) > MAX_CONDITIONS:
        raise InvalidInputError(f"query: has more than {MAX_CONDITIONS} conditions; ask for less at a time")
    return tokens


def _read(found: re.Match[str]) -> _Token:
    place = found.end("before")
    mark, field, value, quoted, word = found.group("mark", "field", "value", "quoted", "word")
    if mark or word in {"AND", "OR", "NOT"}:
        return _Token(place, mark=mark or word)
    if field is None:
        return _Token(place, condition=_find_words(_unquote(quoted) if quoted else word))
    if field.lower() == "sort":
        return _Token(place, order=_choose(ORDERS, _unquote(value), place, "sort"))
    return _Token(place, condition=_make_condition(field.lower(), _unquote(value), place))


def _find_words(words: str) -> Expression:
    return EVERYTHING if not words.strip("*") else Condition(Field.FILENAME, f"*{words}*")


def _make_condition(name: str, value: str, place: int) -> Condition:
    if name in NEEDING_EYES:
        raise _bad(place, f"{name}: needs an embedding of each picture, which this server does not make; search by tag")
    if name not in FIELDS:
        fields = ", ".join(field.value for field in Field)
        raise _bad(place, f"no field is named {name}:; there are {fields}, sort, and file names are put in quotes")
    if not value:
        raise _bad(place, f"{name}: without a value; write it right after the colon")
    field = FIELDS[name]
    if field in SIDES:
        return Condition(field, _read_side(name, value, place))
    if field is Field.SPLIT:
        return Condition(field, _choose(SPLIT_NAMES, value, place, name).value)
    if field is Field.LABELLED:
        return Condition(field, _choose(TRUTHS, value, place, name))
    return Condition(field, value)


def _read_side(name: str, value: str, place: int) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        raise _bad(place, f"{name}: takes a whole number of pixels, such as {name}:640")
    return str(int(value))


def _choose(choices: Mapping[str, T], value: str, place: int, name: str) -> T:
    found = choices.get(value.lower())
    if found is None:
        raise _bad(place, f"{name}: takes one of {', '.join(choices)}")
    return found


def _unquote(text: str) -> str:
    return ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def _name(token: _Token) -> str:
    return "the end" if token.mark == "end" else repr(token.mark)


def _bad(place: int, what: str) -> InvalidInputError:
    return InvalidInputError(f"query, character {place + 1}: {what}")
