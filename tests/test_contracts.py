"""The architecture's rules: they hold, and each is seen to fail on a planted violation."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
CONFIG = ROOT / ".importlinter"

# contract, a file of the package (made if it is not there), and what is added to it
PLANTS = [
    ("Rooms import only the rooms below them", "bundle/layout.py", "import atrous.evaluation.scores"),
    ("Rooms import only the rooms below them", "runtime/png.py", "import atrous.evaluation.scores"),
    ("Rooms import only the rooms below them", "workspace/records.py", "import atrous.training.recipe"),
    ("Rooms import only the rooms below them", "server/app.py", "import atrous.cli"),
    ("Rooms import only the rooms below them", "unplaced/__init__.py", ""),
    ("Siblings form no cycles", "core/errors.py", "import atrous.core.class_map"),
    ("Serving needs no torch", "evaluation/scores.py", "import torch"),
    ("Serving needs no torch", "server/app.py", "def late():\n    import atrous.training.loop"),
    ("Only the edges know HTTP", "workspace/records.py", "import fastapi"),
    ("Only adapters know SQL", "server/app.py", "import sqlalchemy"),
    ("Dataset formats stand alone", "datasets/formats/planted.py", "import atrous.datasets.formats.coco"),
    ("Export formats stand alone", "datasets/exports/planted.py", "import atrous.datasets.exports.coco"),
    ("Inference backends stand alone", "runtime/backends/planted.py", "import atrous.runtime.backends.onnx"),
    ("Routes stand alone", "server/routes/planted.py", "import atrous.server.routes.infer"),
]

IMPORT_ALL = """
import importlib, pkgutil, sys
forbidden, rooms = sys.argv[1].split(), sys.argv[2].split()
sys.modules.update(dict.fromkeys(forbidden))
for room in rooms:
    package = importlib.import_module(room)
    print(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_the_house_keeps_its_contracts() -> None:
    checked = lint_imports(SOURCE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("contract", "file", "line"), PLANTS, ids=[f"{contract}: {file}" for contract, file, _ in PLANTS]
)
def test_a_planted_violation_breaks_its_contract(contract: str, file: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(SOURCE / "atrous", tmp_path / "atrous", ignore=shutil.ignore_patterns("__pycache__"))
    planted = tmp_path / "atrous" / file
    planted.parent.mkdir(exist_ok=True)
    with planted.open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode != 0
    assert f"{contract} BROKEN" in checked.stdout, checked.stdout + checked.stderr


def test_each_contract_has_a_planted_violation() -> None:
    config = read_contracts()
    named = {config[section]["name"] for section in config.sections() if ":contract:" in section}
    assert named == {contract for contract, _, _ in PLANTS}


def test_serving_rooms_are_imported_without_torch() -> None:
    contract = read_contracts()["importlinter:contract:no-torch"]
    rooms = contract["source_modules"].split()
    imported = run_python(IMPORT_ALL, contract["forbidden_modules"], " ".join(rooms), source=SOURCE)
    assert imported.returncode == 0, imported.stderr
    assert set(rooms) < set(imported.stdout.split())


def test_core_stays_small() -> None:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.glob("atrous/core/**/*.py"))
    assert lines <= 600


def lint_imports(source: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return run_python(command, "--config", str(CONFIG), "--no-cache", "--no-logo", source=source)


def run_python(code: str, *arguments: str, source: Path) -> subprocess.CompletedProcess[str]:
    # The package is taken from `source`, wherever it is installed; wide lines are not wrapped.
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "250"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def read_contracts() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(CONFIG, encoding="utf-8")
    return config
