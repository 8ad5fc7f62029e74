from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from benchmarks.encoders import MARKER, main

if TYPE_CHECKING:
    from pathlib import Path


def test_costs_and_accuracy_replace_the_table_of_the_page(tmp_path: Path) -> None:
    page, accuracy, kept = tmp_path / "page.md", tmp_path / "accuracy.json", tmp_path / "result.json"
    page.write_text(f"# Encoders\n\n{MARKER}\n\nold\n")
    accuracy.write_text(json.dumps({"tu-test_resnet": 0.5}))
    options = ["--no-speed", "--accuracy", str(accuracy), "--page", str(page), "--json", str(kept)]
    assert main(["--encoder", "tu-test_resnet", *options]) == 0
    (row,) = json.loads(kept.read_text())["rows"]
    assert 0 < row["parameters_m"] < 5
    assert row["gmacs"] > 0
    text = page.read_text()
    assert text.startswith("# Encoders\n")
    assert "old" not in text
    assert "| `tu-test_resnet` |" in text
    assert "| 50.0 % |" in text


def test_a_page_or_scores_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[1]")
    assert main(["--no-speed", "--encoder", "tu-test_resnet", "--accuracy", str(wrong)]) != 0
