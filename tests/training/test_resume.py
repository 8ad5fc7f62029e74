"""A training that was broken off reaches, resumed, the very weights of one that was not."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import (  # noqa: E402
    STEPS_PER_EPOCH,
    DiskFiller,
    Killer,
    Recorder,
    Stopper,
    make_config,
    run_in_process,
)

from atrous.core.errors import StoppedError, StorageError  # noqa: E402
from atrous.training.checkpoint import BEST, LAST, hash_weights, load_checkpoint  # noqa: E402
from atrous.training.listener import SilentListener  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.training.recipe import TrainingConfig

IN_FIRST_EPOCH = 2
IN_SECOND_EPOCH = STEPS_PER_EPOCH + 1


def describe(config: TrainingConfig) -> dict[str, Any]:
    """All that an interruption must not change."""
    last, best = load_checkpoint(config.run_folder / LAST), load_checkpoint(config.run_folder / BEST)
    assert last is not None
    assert best is not None
    lines = (config.run_folder / "log.jsonl").read_text().splitlines()
    return {
        "network": hash_weights(last["network"]),
        "average": hash_weights(last["average"]),
        "progress": last["progress"],
        "best": (hash_weights(best["weights"]), best["epoch"], best["miou"]),
        "log": [[line[name] for name in ("epoch", "loss", "miou", "is_best")] for line in map(json.loads, lines)],
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    config = make_config(tmp_path_factory.mktemp("whole"))
    run_training(config)
    return describe(config)


@pytest.mark.parametrize("after_steps", [IN_FIRST_EPOCH, IN_SECOND_EPOCH])
def test_a_stop_in_an_epoch_changes_nothing(tmp_path: Path, whole: dict[str, Any], after_steps: int) -> None:
    config = make_config(tmp_path)
    first, second = Stopper(after_steps), Recorder()
    with pytest.raises(StoppedError, match="after a checkpoint; go on with --resume"):
        run_training(config, first)
    result = run_training(replace(config, resume=True), second)
    assert describe(config) == whole
    assert result.weights_sha256 == whole["best"][0]
    assert [report.step for report in first.steps + second.steps] == list(range(1, 3 * STEPS_PER_EPOCH + 1))


def test_many_stops_change_nothing(tmp_path: Path, whole: dict[str, Any]) -> None:
    config = replace(make_config(tmp_path), resume=True)
    stops = 0
    while True:
        try:
            run_training(config, Stopper(after_steps=1))
            break
        except StoppedError:
            stops += 1
    # The last step of all is not stopped: nothing is left to do after it.
    assert stops == 3 * STEPS_PER_EPOCH - 1
    assert describe(config) == whole


@pytest.mark.parametrize(
    "killer",
    [
        pytest.param(Killer(after_epochs=1), id="after the first epoch's report"),
        pytest.param(Killer(after_steps=IN_SECOND_EPOCH + 1), id="in the second epoch"),
        pytest.param(Killer(after_steps=IN_FIRST_EPOCH), id="before any checkpoint"),
    ],
)
def test_a_kill_changes_nothing(tmp_path: Path, whole: dict[str, Any], killer: Killer) -> None:
    config = make_config(tmp_path)
    exit_code, _ = run_in_process(config, killer)
    assert exit_code == -signal.SIGKILL
    assert run_in_process(replace(config, resume=True), SilentListener()) == (0, "")
    assert describe(config) == whole


def test_a_kill_with_worker_processes_changes_nothing(tmp_path: Path, whole: dict[str, Any]) -> None:
    config = make_config(tmp_path, workers=2)
    exit_code, _ = run_in_process(config, Killer(after_steps=IN_SECOND_EPOCH + 1))
    assert exit_code == -signal.SIGKILL
    assert run_in_process(replace(config, resume=True), SilentListener()) == (0, "")
    assert describe(config) == whole


def test_a_full_disk_is_said_and_leaves_the_last_checkpoint(tmp_path: Path, whole: dict[str, Any]) -> None:
    config = make_config(tmp_path)
    exit_code, said = run_in_process(config, DiskFiller())
    assert exit_code == StorageError.exit_code
    assert "cannot be written (File too large); free space and go on with --resume" in said
    last = load_checkpoint(config.run_folder / LAST)
    assert last is not None
    assert last["progress"]["epoch"] == 1
    assert not list(config.run_folder.glob("*.draft"))
    assert run_in_process(replace(config, resume=True), SilentListener()) == (0, "")
    assert describe(config) == whole


def test_an_epoch_logged_but_not_kept_is_logged_once(tmp_path: Path, whole: dict[str, Any]) -> None:
    config = make_config(tmp_path)
    with pytest.raises(StoppedError):
        run_training(config, Stopper(IN_SECOND_EPOCH))
    with (config.run_folder / "log.jsonl").open("a") as log:
        log.write('{"epoch": 2, "loss": 9.9')
    run_training(replace(config, resume=True))
    assert describe(config) == whole


def test_a_finished_run_resumed_gives_its_result_again(tmp_path: Path) -> None:
    config = make_config(tmp_path, epochs=1)
    result = run_training(config)
    listener = Recorder()
    again = run_training(replace(config, resume=True), listener)
    assert (again.weights_sha256, again.best_miou) == (result.weights_sha256, result.best_miou)
    assert listener.steps == []


def test_without_resume_a_run_begins_again(tmp_path: Path, whole: dict[str, Any]) -> None:
    config = make_config(tmp_path)
    with pytest.raises(StoppedError):
        run_training(config, Stopper(IN_SECOND_EPOCH))
    run_training(config)
    assert describe(config) == whole
