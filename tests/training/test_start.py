from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atrous.bundle.layout import CLASS_NAMES, WEIGHTS_TORCH
from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidBundleError
from atrous.training.start import find_rows

if TYPE_CHECKING:
    from pathlib import Path

OURS = ClassMap(("background", "sign", "road", "tree"))


def test_classes_start_from_those_of_the_same_name(tmp_path: Path) -> None:
    weights = tmp_path / WEIGHTS_TORCH
    weights.write_bytes(b"")
    (tmp_path / CLASS_NAMES).write_text("background\nroad\nsign")
    assert find_rows(str(weights), OURS) == (0, 2, 1, None)


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_no_file_has_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / CLASS_NAMES).write_text("background\nroad")
    assert find_rows(weights, OURS) is None


def test_a_file_without_names_beside_it_has_no_rows(tmp_path: Path) -> None:
    weights = tmp_path / "resnet50.pt"
    weights.write_bytes(b"")
    assert find_rows(str(weights), OURS) is None


def test_names_that_cannot_be_are_said(tmp_path: Path) -> None:
    weights = tmp_path / WEIGHTS_TORCH
    weights.write_bytes(b"")
    (tmp_path / CLASS_NAMES).write_text("road\nsign")
    with pytest.raises(InvalidBundleError, match=CLASS_NAMES):
        find_rows(str(weights), OURS)
