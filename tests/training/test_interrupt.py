"""Ctrl-C in a terminal, as a real process sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import add_version
from tests.training.runs import RECIPE

from atrous.adapters.home import open_home
from atrous.bundle.bundle import open_bundle
from atrous.training.loop import run_training
from atrous.training.recipe import TrainingConfig, read_recipe
from atrous.workspace.versions import list_samples

if TYPE_CHECKING:
    from pathlib import Path

# Enough that the signal, sent after the first, arrives before the last.
EPOCHS = 12
FLAGS = [
    *("--encoder", RECIPE.encoder, "--encoder-weights", "none", "--epochs", str(EPOCHS), "--batch-size", "2"),
    *("--device", "cpu", "--validate-every", str(EPOCHS)),
]
TIMEOUT_S = 120


def atrous(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"ATROUS_HOME": str(home), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "atrous", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def read_epochs(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_ctrl_c_ends_after_a_checkpoint_and_resume_finishes_with_the_same_weights(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ports = open_home(home)
    workspace = next(iter(ports.store.list_workspaces()), None)
    if workspace is None:
        workspace = "home"
        ports.store.add_workspace(workspace)
    version = add_version(ports, workspace, "road")

    training = atrous(home, "train", str(version.id), *FLAGS)
    assert training.stdout is not None
    first_line = training.stdout.readline()
    training.send_signal(signal.SIGINT)
    stdout, stderr = training.communicate(timeout=TIMEOUT_S)
    assert training.returncode == 130, stderr
    assert "stopping after this batch; press Ctrl-C again to stop at once" in stderr
    assert "error: stopped " in stderr
    assert "go on with --resume" in stderr
    assert "Traceback" not in stderr
    done = read_epochs(first_line + stdout)
    assert len(done) < EPOCHS

    resumed = atrous(home, "train", str(version.id), "--resume")
    stdout, stderr = resumed.communicate(timeout=TIMEOUT_S)
    assert resumed.returncode == 0, stderr
    assert [report["epoch"] for report in done + read_epochs(stdout)] == list(range(1, EPOCHS + 1))

    listing = atrous(home, "model", "list")
    stdout, stderr = listing.communicate(timeout=TIMEOUT_S)
    assert listing.returncode == 0, stderr
    (model,) = ports.store.list_models(workspace)
    assert f"{workspace}/{model.slug}" in stdout

    published = open_bundle(ports.bundles.locate(workspace, model.slug)).manifest.recipe
    whole = run_training(
        TrainingConfig(
            run_folder=tmp_path,
            samples=list_samples(ports, version),
            class_map=version.class_map,
            preprocessing=version.preprocessing,
            recipe=read_recipe(published),
        )
    )
    assert whole.weights_sha256 == published["weights_sha256"]
