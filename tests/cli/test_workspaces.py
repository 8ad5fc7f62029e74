from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atrous.adapters.home import open_home
from atrous.workspace.keys import authenticate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said


def test_a_workspace_has_keys_of_its_own(atrous: Callable[..., Said], home: Path) -> None:
    assert atrous("workspace", "create", "acme").code == 0
    secret = atrous("key", "create", "--workspace", "acme").last_line
    assert authenticate(open_home(home), secret).workspace == "acme"
    assert open_home(home).store.list_keys("main") == []


def test_the_first_workspace_stays_the_one_that_commands_act_on(atrous: Callable[..., Said], home: Path) -> None:
    atrous("workspace", "create", "acme")
    assert open_home(home).store.list_workspaces() == ["main", "acme"]
    assert authenticate(open_home(home), atrous("key", "create").last_line).workspace == "main"


def test_workspaces_are_listed_with_what_is_in_them(atrous: Callable[..., Said]) -> None:
    atrous("workspace", "create", "acme")
    atrous("key", "create", "--workspace", "acme")
    listed = atrous("workspace", "list").out
    assert listed.index("main") < listed.index("acme")
    (line,) = [line for line in listed.splitlines() if "acme" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["acme", "0", "0", "1"]


@pytest.mark.parametrize(("slug", "code"), [("main", 5), ("Acme", 2), ("a b", 2), ("", 2), ("model", 2), ("x" * 65, 2)])
def test_a_workspace_that_cannot_be_is_not_made(atrous: Callable[..., Said], home: Path, slug: str, code: int) -> None:
    assert atrous("workspace", "create", slug).code == code
    assert open_home(home).store.list_workspaces() == ["main"]


def test_a_workspace_that_is_not_there_is_told(atrous: Callable[..., Said]) -> None:
    said = atrous("key", "create", "--workspace", "nobody")
    assert said.code == 3
    assert "atrous workspace list" in said.err
