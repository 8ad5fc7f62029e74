"""The image: what its build copies is there, and its entry point hands secrets on."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.deploy.manifests import DEPLOY, ROOT, list_extras, list_variables, parse_command

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
LINES = DOCKERFILE.replace("\\\n", " ").splitlines()
SECRETS = ("ATROUS_DATABASE_URL", "ATROUS_BLOBS_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def find_copied() -> list[str]:
    """What is copied from the repository, not from another stage."""
    copies = [line.split()[1:-1] for line in LINES if line.startswith("COPY ") and "--from=" not in line]
    return [word.removeprefix("./") for words in copies for word in words if not word.startswith("--")]


def enter(variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(DEPLOY / "entrypoint"), *command],
        env={"PATH": "/usr/bin:/bin"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_what_the_build_copies_is_there_and_not_left_out() -> None:
    kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(find_copied()) == kept
    assert not [path for path in find_copied() if not (ROOT / path).exists()]


def test_what_the_package_is_built_from_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    files = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], *packages}
    copied = find_copied()
    assert not [path for path in files if not any(Path(path).is_relative_to(each) for each in copied)]


def test_the_python_is_one_that_the_package_takes() -> None:
    version = re.search(r"^ARG PYTHON=(3\.\d+)$", DOCKERFILE, re.MULTILINE)
    assert version
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version[1]}" in classifiers


def test_extras_are_those_of_the_package() -> None:
    named = {extra for words in re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE) for extra in words.split(",")}
    assert {"postgres", "s3"} <= named <= list_extras()


def test_serving_is_installed_without_torch() -> None:
    assert re.search(r"^ARG EXTRAS=postgres,s3$", DOCKERFILE, re.MULTILINE)


def test_it_does_not_run_as_root() -> None:
    stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    user = re.search(r"^USER (\d+):(\d+)$", stage, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert f"--uid {user[1]}" in stage


def test_its_variables_and_command_are_those_of_the_software() -> None:
    assert set(re.findall(r"\bATROUS_\w+(?==)", DOCKERFILE)) <= list_variables()
    parse_command(json.loads(next(line for line in LINES if line.startswith("CMD "))[4:]))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_a_file_becomes_the_variable(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p$a 'ss\"w\\ord\n")
    done = enter({f"{name}_FILE": str(tmp_path / "secret")}, "env", "-0")
    variables = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert variables[name] == "p$a 'ss\"w\\ord"
    assert f"{name}_FILE" not in variables


def test_a_variable_without_a_file_stays() -> None:
    assert enter({"AWS_ACCESS_KEY_ID": "mine"}, "printenv", "AWS_ACCESS_KEY_ID").stdout == "mine\n"


def test_a_secret_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    done = enter({"ATROUS_DATABASE_URL_FILE": str(tmp_path / "absent")}, "env")
    assert done.returncode == 2
    assert not done.stdout
    assert "ATROUS_DATABASE_URL_FILE" in done.stderr
    assert str(tmp_path / "absent") in done.stderr


def test_the_command_keeps_its_words_and_its_exit_code() -> None:
    done = enter({}, "/bin/sh", "-c", 'printf %s "$1"; exit 7', "sh", "two words")
    assert (done.stdout, done.returncode) == ("two words", 7)
