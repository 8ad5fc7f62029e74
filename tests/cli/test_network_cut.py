"""With no network but loopback everything works: nothing is fetched, nobody is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMESPACE = ["unshare", "--map-root-user", "--net"]


def can_make_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_make_namespaces(), reason="needs unshare and the right to make network namespaces")
def test_everything_works_with_the_network_cut() -> None:
    command = [*NAMESPACE, sys.executable, "-m", "tests.cli.cut_off"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATROUS_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "done"
