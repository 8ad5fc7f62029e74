"""The benchmark of trainings, at a size that takes a moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from benchmarks.training import main

if TYPE_CHECKING:
    from pathlib import Path

TINY = ["--encoder", "tu-test_resnet", "--size", "32x32", "--image-size", "64x48", "--pictures", "4"]


def test_a_training_and_the_bare_loop_take_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "training.json"
    assert main([*TINY, "--batch-size", "2", "--rounds", "2", "--device", "cpu", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["share"] == pytest.approx(row["pictures_per_s"] / row["bare_per_s"], rel=0.05)
    assert "median" in capsys.readouterr().out
