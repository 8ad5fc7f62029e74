"""What this machine has."""

from __future__ import annotations

import os
from pathlib import Path

from atrous.core.cores import count_cores
from atrous.core.memory import read_memory_bytes
from atrous.workspace.machine_types import Machine

DEVICES = Path("/dev")


def read_machine() -> Machine:
    """The cores, memory and GPUs that this process may use."""
    return Machine(count_cores(), read_memory_bytes(), count_gpus(os.environ.get("CUDA_VISIBLE_DEVICES")))


def count_gpus(visible: str | None, devices: Path = DEVICES) -> int:
    """Give the number of NVIDIA GPUs, without loading anything of CUDA.

    Args:
        visible: the variable `CUDA_VISIBLE_DEVICES`, which names those that may be used; None if all may.
        devices: folder of the files that stand for them.
    """
    found = [path for path in devices.glob("nvidia*") if path.name.removeprefix("nvidia").isdigit()]
    if visible is None:
        return len(found)
    named = [name for name in visible.split(",") if name.strip() not in {"", "-1"}]
    return min(len(found), len(named))
