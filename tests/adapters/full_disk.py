"""A process in which no file may grow past a limit: the nearest to a full disk that needs no rights."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PRELUDE = """
import resource, sys
from pathlib import Path
from atrous.core.errors import StorageError
LIMIT = 100_000
folder, other = Path(sys.argv[1]), Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
"""


def run_on_full_disk(code: str, folder: Path, other: Path | None = None) -> list[str]:
    """Run code that knows `folder`, `other` and `LIMIT` in bytes; give the lines that it printed."""
    pytest.importorskip("resource", reason="file size limits are POSIX's")
    command = [sys.executable, "-c", PRELUDE + code, str(folder), str(other)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()
