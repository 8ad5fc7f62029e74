from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import Said, Server, publish
from tests.datasets.generated import write_png_masks

from atrous.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is not made yet; the working folder is the test's own."""
    for name in [name for name in os.environ if name.startswith("ATROUS_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("ATROUS_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def atrous(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command in this process."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["atrous", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, written.out, written.err)

    return run


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset of five pictures, none of whose values is ours."""
    folder = tmp_path / "streets"
    write_png_masks(folder)
    return folder


@pytest.fixture(scope="module")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the model `road/1`, for the server that a module's tests share."""
    folder = tmp_path_factory.mktemp("served") / "home"
    publish(folder)
    return folder


@pytest.fixture(scope="module")
def server(served_home: Path) -> Iterator[Server]:
    with Server(served_home) as running:
        yield running
