"""How much memory this process may use."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERSHIP = Path("/proc/self/cgroup")
LIMITS = Path("/sys/fs/cgroup")
# Controllers of a line of the membership -> where limits lie below the root, for both versions of control groups.
FILES = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
# Where nothing tells: small, so that budgets made of it are rather too strict.
UNKNOWN_BYTES = 2 * 2**30


def read_memory_bytes(membership: Path = MEMBERSHIP, limits: Path = LIMITS) -> int:
    """Give the memory of the machine, or less if this process's control group or one above it is limited to less.

    Args:
        membership: tells the control groups, as Linux does.
        limits: folder of their limits.
    """
    told = [_read_number(file) for file in _limit_files(membership, limits)]
    return min([_machine_bytes(), *(limit for limit in told if limit)])


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN_BYTES


def _limit_files(membership: Path, limits: Path) -> Iterator[Path]:
    """The files of the groups that this process is in, and of those above them; some may not be there."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in FILES:
            folder, name = FILES[controllers]
            group = PurePosixPath(path.lstrip("/"))
            yield from (limits / folder / one / name for one in (group, *group.parents))


def _read_number(file: Path) -> int:
    """0 if there is no such limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
