from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.ports import fake_ports

from atrous.core.errors import NotFoundError
from atrous.workspace.workspaces import FIRST_WORKSPACE, choose_workspace, ensure_first_workspace

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_store_gets_its_first_workspace_once(tmp_path: Path) -> None:
    ports = fake_ports(tmp_path)
    assert ensure_first_workspace(ports) == ensure_first_workspace(ports) == FIRST_WORKSPACE
    assert ports.store.list_workspaces() == [FIRST_WORKSPACE]


def test_the_oldest_workspace_is_meant_when_none_is_named(tmp_path: Path) -> None:
    ports = fake_ports(tmp_path)
    for slug in ("zebra", "acme"):
        ports.store.add_workspace(slug)
    assert choose_workspace(ports, None) == "zebra"
    assert choose_workspace(ports, "acme") == "acme"


def test_an_unknown_workspace_is_refused_and_not_made(tmp_path: Path) -> None:
    ports = fake_ports(tmp_path)
    with pytest.raises(NotFoundError, match="nobody"):
        choose_workspace(ports, "nobody")
    assert ports.store.list_workspaces() == []
