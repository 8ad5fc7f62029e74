from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numba
import pytest
from numba.core import caching

from atrous.runtime.compiling import compiled

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
from atrous.runtime.compiling import compiled

@compiled()
def double(number):
    return 2 * number

print(double(21), *double.stats.cache_hits.values())
"""


def run(script: Path) -> str:
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    return script


def test_the_next_process_need_not_compile_and_a_damaged_file_costs_no_answer(script: Path) -> None:
    assert run(script) == "42"
    assert run(script) == "42 1"
    for file in (script.parent / "cache").rglob("*.nbi"):
        file.write_bytes(file.read_bytes()[:20])
    assert run(script) == "42"
    assert run(script) == "42 1"


def test_where_nothing_can_be_written_each_process_compiles_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    assert compiled()(lambda number: number + 1)(41) == 42


def test_a_full_disk_costs_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(caching.Cache, "_save_overload", refuse)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert compiled()(lambda number: number + 2)(40) == 42
