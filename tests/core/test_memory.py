from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atrous.core.memory import read_memory_bytes

if TYPE_CHECKING:
    from pathlib import Path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")


def test_without_limits_it_is_the_memory_of_the_machine(tmp_path: Path) -> None:
    whole = read_memory_bytes(tmp_path / "none", tmp_path)
    assert whole > 100_000_000
    write(tmp_path / "membership", "0::/a\n")
    write(tmp_path / "a" / "memory.max", "max\n")
    assert read_memory_bytes(tmp_path / "membership", tmp_path) == whole


@pytest.mark.parametrize(
    ("membership", "limit"),
    [
        ("0::/\n", "memory.max"),
        ("0::/shop/till\n", "shop/till/memory.max"),
        ("0::/shop/till\n", "shop/memory.max"),
        ("3:cpu:/\n4:memory:/shop/till\n0::/\n", "memory/shop/till/memory.limit_in_bytes"),
        # Inside a container the group that it is told of is not there; its own is the root.
        ("4:memory:/shop/till\n", "memory/memory.limit_in_bytes"),
    ],
)
def test_a_limit_of_its_control_group_or_one_above_counts(tmp_path: Path, membership: str, limit: str) -> None:
    write(tmp_path / "membership", membership)
    write(tmp_path / limit, "50000000\n")
    assert read_memory_bytes(tmp_path / "membership", tmp_path) == 50_000_000
