"""What the distribution declares, and what it can do without its extras."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import atrous
from atrous.adapters.home import open_home
from atrous.core.errors import MissingExtraError
from tests.fakes.datasets import add_version

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
TRAINING_ONLY = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "lightning", "lightning-fabric", "onnx")

WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys(["torch", "torchvision", "timm", "segmentation_models_pytorch", "lightning_fabric"]))
from atrous.cli.main import main
sys.argv[0] = "atrous"
main()
"""


def read_project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def run_without_torch(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        env=os.environ | {"ATROUS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_serving_installs_nothing_that_only_training_needs() -> None:
    assert {name_of(line) for line in read_project()["dependencies"]}.isdisjoint(TRAINING_ONLY)


def test_every_extra_has_lower_bounds() -> None:
    extras = read_project()["optional-dependencies"]
    for line in (*read_project()["dependencies"], *extras["train"]):
        assert ">=" in line, line


def test_the_train_extra_brings_what_serving_leaves_out() -> None:
    extra = {name_of(line) for line in read_project()["optional-dependencies"]["train"]}
    assert {"torch", "torchvision", "segmentation-models-pytorch", "lightning-fabric", "onnx"} <= extra


def test_every_third_party_module_that_serving_imports_is_declared() -> None:
    distributions = {
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "multipart": "python-multipart",
        "yaml": "pyyaml",
    }
    serving = ("core", "bundle", "datasets", "evaluation", "runtime", "workspace", "adapters", "server", "cli")
    imported = {
        match[1]
        for room in serving
        for path in (ROOT / "src" / "atrous" / room).rglob("*.py")
        for match in re.finditer(r"^\s*(?:import|from) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    foreign = imported - set(sys.stdlib_module_names) - {"atrous"}
    # Starlette is the ground that FastAPI stands on, and comes with it.
    undeclared = {name_of(distributions.get(name, name)) for name in foreign} - {"starlette"}
    extras = read_project()["optional-dependencies"]
    optional = {name_of(line) for name in ("postgres", "s3", "openvino") for line in extras[name]}
    assert undeclared - optional <= {name_of(line) for line in read_project()["dependencies"]}


def test_the_license_is_declared_and_lies_beside_it() -> None:
    assert read_project()["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.skipif(not CHANGELOG.exists(), reason="there is no CHANGELOG.md yet")
def test_the_version_is_the_newest_one_of_the_changelog() -> None:
    versions = re.findall(
        r"^##\s*\[?v?(\d+\.\d+\.\d+\S*?)\]?(?:\s|$)", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert versions, "the changelog has a heading such as `## 0.1.0` for each version"
    assert atrous.__version__ == versions[0]


def test_the_command_starts_without_torch(tmp_path: Path) -> None:
    said = run_without_torch(tmp_path, "--version")
    assert (said.returncode, said.stdout) == (0, f"atrous {atrous.__version__}\n"), said.stderr


def test_training_without_torch_says_what_to_install(tmp_path: Path) -> None:
    ports = open_home(tmp_path)
    ports.store.add_workspace("main")
    add_version(ports, "main", "road")
    said = run_without_torch(tmp_path, "train", "road/1", "--encoder-weights", "none")
    assert said.returncode == MissingExtraError.exit_code, said.stderr
    assert "torch" in said.stderr
    assert "pip install '.[train]'" in said.stderr
    assert "Traceback" not in said.stderr


def test_only_what_belongs_to_the_package_is_built() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert tool["wheel"]["packages"] == ["src/atrous"]
    migrations = ROOT / "src" / "atrous" / "adapters" / "sql_store" / "migrations"
    assert (migrations / "env.py").is_file()
    assert list((migrations / "versions").glob("*.py"))
