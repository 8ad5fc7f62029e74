from __future__ import annotations

import re

import pytest

from atrous.core import errors
from atrous.core.errors import AtrousError

ROW = re.compile(r"[│├└─ ]+(?P<name>\w+Error)\s+(?:(?P<status>\d{3})\b)?,?\s*(?:exit (?P<exit_code>\d+))?")


def list_kinds() -> list[type[AtrousError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, AtrousError) and kind is not AtrousError
    ]


def read_tree() -> dict[str, dict[str, str | None]]:
    """The rows of the tree that the module's docstring draws, by class."""
    rows = [ROW.match(line) for line in (errors.__doc__ or "").splitlines()]
    return {row["name"]: {"status": row["status"], "exit_code": row["exit_code"]} for row in rows if row}


def test_the_drawn_tree_names_every_error() -> None:
    assert set(read_tree()) == {kind.__name__ for kind in list_kinds()}


@pytest.mark.parametrize("kind", list_kinds(), ids=lambda kind: kind.__name__)
def test_an_error_has_the_status_and_exit_code_that_are_drawn(kind: type[AtrousError]) -> None:
    drawn = read_tree()[kind.__name__]
    base = kind.__mro__[1]
    for fact, value in drawn.items():
        if value is None:
            assert getattr(kind, fact) == getattr(base, fact), f"{fact} differs from the base's, but is not drawn"
        else:
            assert getattr(kind, fact) == int(value)


@pytest.mark.parametrize("fact", ["status", "exit_code"])
def test_each_branch_of_the_tree_has_its_own_number(fact: str) -> None:
    branches = AtrousError.__subclasses__()
    ours = [kind for kind in branches if kind.__module__ == errors.__name__]
    # Nobody is answered by HTTP that he stopped the work, and a model that is broken is the server's fault.
    without_status = {"StoppedError", "BrokenModelError"} if fact == "status" else set()
    numbers = [getattr(kind, fact) for kind in ours if kind.__name__ not in without_status]
    assert len(set(numbers)) == len(numbers)
    assert getattr(AtrousError, fact) not in numbers


def test_every_error_says_what_it_stands_for() -> None:
    assert all(kind.__doc__ for kind in list_kinds())
