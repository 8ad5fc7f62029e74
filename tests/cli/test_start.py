"""How soon a command begins."""

from __future__ import annotations

import subprocess
import sys

# Each takes a good part of a second.
HEAVY = {"fastapi", "uvicorn", "onnxruntime", "numba", "torch", "ray"}


def test_no_command_waits_for_what_it_does_not_need() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "atrous", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "atrous.cli.main" in imported
    assert not HEAVY & imported
