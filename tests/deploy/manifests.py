"""What lies in `deploy/`, read for tests."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests.test_docs import find_command, walk_commands

from atrous.adapters.home import Places
from atrous.server.settings import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
KUBERAY = DEPLOY / "kuberay"
SECRET_TEMPLATE = KUBERNETES / "secret.example.yaml"
# Of Kubernetes, that people are likely to run.
OLDEST_VERSION = "1.30"
SIZES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def read_documents(path: Path) -> list[dict[str, Any]]:
    """The objects of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def read_objects(folder: Path) -> list[dict[str, Any]]:
    """The objects that a kustomization lists, with those of the folders it stands on and the maps it generates."""
    (kustomization,) = read_documents(folder / "kustomization.yaml")
    objects = [
        {"kind": "ConfigMap", "metadata": {"name": each["name"]}, "data": dict.fromkeys(each["files"], "")}
        for each in kustomization.get("configMapGenerator", [])
    ]
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        objects += read_objects(path) if path.is_dir() else read_documents(path)
    return objects


def choose(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of one kind."""
    return [each for each in objects if each["kind"] == kind]


def find_pods(node: Any) -> Iterator[dict[str, Any]]:
    """Every pod template within an object, Ray's included."""
    if isinstance(node, dict):
        if "containers" in node.get("spec", {}):
            yield node
        for inner in node.values():
            yield from find_pods(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from find_pods(inner)


def list_variables() -> set[str]:
    """The ATROUS_… variables that the software reads."""
    settings = {f"ATROUS_{name.upper()}" for name in OPTIONS}
    places = {f"ATROUS_{field.name.upper()}" for field in fields(Places)}
    commands = {str(param.envvar) for _, command in walk_commands() for param in command.params if param.envvar}
    return settings | places | commands | {"ATROUS_HOME"}


def parse_command(words: list[str]) -> None:
    """Have the command line itself parse `atrous …`; it raises at what it does not know."""
    assert words[0] == "atrous", words
    command, rest = find_command(words[1:])
    command.make_context("atrous", rest)


def list_extras() -> set[str]:
    """The optional parts that the package declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


def read_size(text: str) -> int:
    """Bytes of a quantity such as `20Gi`."""
    return int(text[:-2]) * SIZES[text[-2:]]
