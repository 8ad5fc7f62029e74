from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import SECRET

from atrous.adapters.home import open_home
from atrous.core.errors import UnauthorizedError
from atrous.workspace.keys import authenticate
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said


def test_a_new_key_stands_alone_on_the_last_line_of_stdout(atrous: Callable[..., Said], home: Path) -> None:
    said = atrous("key", "create", "--name", "camera")
    assert said.code == 0
    assert SECRET.match(said.last_line)
    assert said.last_line not in said.err
    assert authenticate(open_home(home), said.last_line).name == "camera"


@pytest.mark.parametrize("name", ["[/]", "[red]camera", "ключ", "two words"])
def test_a_key_may_have_any_name(atrous: Callable[..., Said], name: str) -> None:
    said = atrous("key", "create", "--name", name)
    assert said.code == 0
    assert SECRET.match(said.last_line)
    assert name in said.err
    assert name in atrous("key", "list").out


def test_a_list_of_keys_holds_no_secret(atrous: Callable[..., Said]) -> None:
    secret = atrous("key", "create").last_line
    listed = atrous("key", "list")
    assert secret[:6] in listed.out
    assert secret[:8] not in listed.out + listed.err


@pytest.mark.parametrize("scope", Scope)
def test_a_key_has_the_scope_and_the_rate_that_it_is_given(
    atrous: Callable[..., Said], home: Path, scope: Scope
) -> None:
    said = atrous("key", "create", "--scope", scope.value, "--rate", 60)
    key = authenticate(open_home(home), said.last_line)
    assert (key.scope, key.requests_per_minute) == (scope, 60)
    assert f"{scope} 60/min" in atrous("key", "list").out


def test_a_key_may_do_everything_unless_said_otherwise(atrous: Callable[..., Said], home: Path) -> None:
    key = authenticate(open_home(home), atrous("key", "create").last_line)
    assert (key.scope, key.requests_per_minute) == (Scope.ADMIN, None)


@pytest.mark.parametrize("options", [("--scope", "root"), ("--rate", 0), ("--rate", "often"), ("--rate", -5)], ids=str)
def test_a_scope_or_rate_that_cannot_be_makes_no_key(
    atrous: Callable[..., Said], home: Path, options: tuple[object, ...]
) -> None:
    said = atrous("key", "create", *options)
    assert (said.code, said.out) == (2, "")


def test_a_revoked_key_is_marked_and_no_longer_valid(atrous: Callable[..., Said], home: Path) -> None:
    secret = atrous("key", "create").last_line
    (key,) = open_home(home).store.list_keys("main")
    assert atrous("key", "revoke", key.id).code == 0
    with pytest.raises(UnauthorizedError):
        authenticate(open_home(home), secret)
    (key,) = open_home(home).store.list_keys("main")
    assert key.revoked is not None
    assert f"{key.revoked:%Y-%m-%d}" in atrous("key", "list").out
    assert atrous("key", "revoke", key.id).code == 3


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_name_that_cannot_be_makes_no_key(atrous: Callable[..., Said], home: Path, name: str) -> None:
    said = atrous("key", "create", "--name", name)
    assert (said.code, said.out) == (2, "")
    assert open_home(home).store.list_keys("main") == []


def test_a_rotated_key_has_another_secret_and_a_grace_for_the_last(atrous: Callable[..., Said], home: Path) -> None:
    old = atrous("key", "create").last_line
    (key,) = open_home(home).store.list_keys("main")
    said = atrous("key", "rotate", key.id, "--grace", 5)
    assert (said.code, said.last_line != old) == (0, True)
    assert SECRET.match(said.last_line)
    assert "5 minutes" in said.err
    assert {authenticate(open_home(home), secret).id for secret in (old, said.last_line)} == {key.id}
    assert atrous("key", "rotate", key.id).code == 0
    with pytest.raises(UnauthorizedError):
        authenticate(open_home(home), old)
    (key,) = open_home(home).store.list_keys("main")
    assert atrous("key", "list").out.count(f"{key.rotated:%Y-%m-%d}") == 2


@pytest.mark.parametrize(("options", "code"), [(("none",), 3), (("none", "--grace", -1), 2), ((), 2)])
def test_a_rotation_that_cannot_be_gives_no_secret(
    atrous: Callable[..., Said], options: tuple[object, ...], code: int
) -> None:
    said = atrous("key", "rotate", *options)
    assert (said.code, said.out) == (code, "")
