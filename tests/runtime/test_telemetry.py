"""Nothing is told to the makers of the libraries that run networks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.fakes.bundles import make_bundle

from atrous.bundle.layout import WEIGHTS_ONNX

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import sys
from pathlib import Path
from atrous.runtime.backends import BACKENDS

BACKENDS["onnx"].open_network(Path(sys.argv[1]), 1)
"""


def test_onnx_runtime_keeps_no_id_of_the_device_and_no_events(tmp_path: Path) -> None:
    weights = make_bundle(tmp_path / "colours") / WEIGHTS_ONNX
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        name: value for name, value in os.environ.items() if name not in {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    }
    places = {"HOME": str(home), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    subprocess.run([sys.executable, "-c", CODE, str(weights)], env=kept | places, check=True)
    assert list(home.rglob("*onnxruntime*")) == []
