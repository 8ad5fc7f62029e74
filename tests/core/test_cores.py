from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from atrous.core.cores import count_cores

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 4),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("1600000 100000", 4),
        ("nonsense", 4),
    ],
)
def test_a_container_gets_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    (tmp_path / "cpu.max").write_text(quota + "\n", encoding="ascii")
    assert count_cores(tmp_path / "cpu.max") == cores


def test_without_a_quota_all_cores_that_the_process_may_run_on_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7}, raising=False)
    assert count_cores(tmp_path / "missing") == 3
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_cores(tmp_path / "missing") == 6
