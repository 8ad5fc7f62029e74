from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrous.core.errors import InvalidInputError
from atrous.workspace.roboql import MAX_CONDITIONS, MAX_DEPTH, MAX_LENGTH, parse_query
from atrous.workspace.search import EVERYTHING, And, Condition, Expression, Field, Not, Or, Order

TAG_A, TAG_B, TAG_C = (Condition(Field.TAG, tag) for tag in "abc")
PLAIN = {Field.TAG, Field.CLASS, Field.JOB, Field.BATCH, Field.FILENAME, Field.METADATA, Field.PROJECT, Field.ID}
VALUES = {Field.SPLIT: ["train", "valid", "test"], Field.LABELLED: ["true", "false"]}


def write(part: Expression) -> str:
    """The query of an expression, every value in quotes and every part in parentheses."""
    match part:
        case And(parts):
            return "(" + " ".join(write(one) for one in parts) + ")"
        case Or(parts):
            return "(" + " OR ".join(write(one) for one in parts) + ")"
        case Not(inner):
            return "-" + write(inner)
        case Condition(field, value):
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'{field.value}:"{quoted}"'


def conditions() -> st.SearchStrategy[Condition]:
    def with_value(field: Field) -> st.SearchStrategy[Condition]:
        if field in PLAIN:
            return st.builds(Condition, st.just(field), st.text(min_size=1, max_size=8))
        if field in VALUES:
            return st.builds(Condition, st.just(field), st.sampled_from(VALUES[field]))
        return st.builds(Condition, st.just(field), st.integers(0, 10**17).map(str))

    return st.sampled_from(Field).flatmap(with_value)


def expressions() -> st.SearchStrategy[Expression]:
    def join(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(parts, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, parts) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(conditions(), join, max_leaves=12)


@given(expressions())
def test_a_written_expression_is_read_back(expression: Expression) -> None:
    assert parse_query(write(expression)).where == expression


@given(st.text(alphabet=string.printable) | st.text(alphabet='tag:-()"\\ ANDORNTsort*', max_size=60) | st.text())
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    with suppress(InvalidInputError):
        parse_query(text)


@pytest.mark.parametrize("text", ["", "  ", "*", "**"])
def test_nothing_and_a_star_ask_for_everything(text: str) -> None:
    assert parse_query(text).where == EVERYTHING


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag:a tag:b", And((TAG_A, TAG_B))),
        ("tag:a AND tag:b", And((TAG_A, TAG_B))),
        ("tag:a OR tag:b", Or((TAG_A, TAG_B))),
        ("tag:a tag:b OR tag:c", Or((And((TAG_A, TAG_B)), TAG_C))),
        ("tag:a (tag:b OR tag:c)", And((TAG_A, Or((TAG_B, TAG_C))))),
        ("tag:a -tag:b", And((TAG_A, Not(TAG_B)))),
        ("NOT tag:a tag:b", And((Not(TAG_A), TAG_B))),
        ("NOT (tag:a tag:b)", Not(And((TAG_A, TAG_B)))),
        ("NOT NOT tag:a", Not(Not(TAG_A))),
        ("TAG:a", TAG_A),
        ('tag:"a"', TAG_A),
    ],
)
def test_and_binds_closer_than_or_and_not_closer_than_and(text: str, expected: Expression) -> None:
    assert parse_query(text).where == expected


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("img-7", Field.FILENAME, "*img-7*"),
        ('"two words"', Field.FILENAME, "*two words*"),
        ('"tag:a"', Field.FILENAME, "*tag:a*"),
        ("and", Field.FILENAME, "*and*"),
        ("filename:img_*.jpg", Field.FILENAME, "img_*.jpg"),
        ("split:val", Field.SPLIT, "valid"),
        ("split:TRAIN", Field.SPLIT, "train"),
        ("annotated:yes", Field.LABELLED, "true"),
        ("labelled:false", Field.LABELLED, "false"),
        ("metadata:camera=3", Field.METADATA, "camera=3"),
        ("min-width:0640", Field.MIN_WIDTH, "640"),
        (r'tag:"say \"hi\" \\ bye"', Field.TAG, r"say \"hi\" \ bye".replace(r"\"", '"')),
    ],
)
def test_a_condition_has_a_field_and_a_value(text: str, field: Field, value: str) -> None:
    assert parse_query(text).where == Condition(field, value)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("tag:a", Order.NEWEST),
        ("tag:a sort:newest", Order.NEWEST),
        ("sort:oldest tag:a", Order.OLDEST),
        ("tag:a sort:name", Order.NAME),
        ("tag:a sort:-name", Order.NAME_DOWN),
    ],
)
def test_a_query_says_how_it_is_sorted(text: str, order: Order) -> None:
    query = parse_query(text)
    assert (query.where, query.order) == (TAG_A, order)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("tag:a colour:red", 7, "colour"),
        ("tag:a tag:", 7, "without a value"),
        ("tag:a OR", 9, "the end"),
        ("OR tag:a", 1, "'OR'"),
        ("tag:a )", 7, "nothing opens"),
        ("tag:b (tag:a", 7, "nothing closes"),
        ("()", 2, "where a condition should be"),
        ('tag:b "open', 7, "not closed"),
        ('tag:b tag:"open', 11, "not closed"),
        ('tag:b a"b"', 8, "inside of a word"),
        ("min-width:wide", 1, "whole number"),
        ("min-width:-5", 1, "whole number"),
        ("min-width:²", 1, "whole number"),
        ("split:half", 1, "train"),
        ("labelled:maybe", 1, "true"),
        ("sort:size", 1, "newest"),
        ("sort:name sort:newest", 11, "second sort"),
        ("(tag:a sort:name)", 8, "inside of parentheses"),
        ("like-image:7", 1, "embedding"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: int, says: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse_query(text)
    assert str(raised.value).startswith(f"query, character {place}: ")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_LENGTH + 1),
        "a " * (MAX_CONDITIONS + 1),
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "NOT " * (MAX_DEPTH + 1) + "a",
    ],
    ids=["letters", "conditions", "parentheses", "nots"],
)
def test_a_query_may_be_so_long_and_deep(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"at a time|at most"):
        parse_query(text)
