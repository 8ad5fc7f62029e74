"""How many processor cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def count_cores(quota: Path = QUOTA) -> int:
    """Give the cores that the process may run on, at least 1: containers often get fewer than the machine has.

    Args:
        quota: the control group's `cpu.max`: microseconds of processor time in each period, or `max`, and the period.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        share = int(allowed) / int(period)
    except (OSError, ValueError):
        return cores
    return max(1, min(cores, round(share)))
