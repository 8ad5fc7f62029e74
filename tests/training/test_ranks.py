"""Several processes train what one would; each is real, and they talk by gloo."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import Recorder, Stopper, make_config  # noqa: E402

from atrous.core.errors import InvalidDatasetError, InvalidInputError, StoppedError, UnavailableError  # noqa: E402
from atrous.datasets.splits import Split  # noqa: E402
from atrous.training.checkpoint import LAST  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402
from atrous.training.ranks import Ranks  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

# Dropout draws other values on each rank, and AdamW makes much of the last digits of small gradients. Five pictures in
# batches of four leave a batch of one.
CHOICES = {"epochs": 2, "batch_size": 4, "dropout": 0.0, "optimiser": "sgd", "learning_rate": 2e-3}
STEPS_PER_EPOCH = 2
# Sums in another order.
LOSS_TOLERANCE = 2e-4
MIOU_TOLERANCE = 0.02


@pytest.mark.parametrize(("pictures", "parts"), [(5, [3, 2]), (4, [2, 2]), (2, [1, 1]), (1, [1, 1])])
def test_a_batch_is_dealt_in_order_and_a_single_picture_to_all(pictures: int, parts: list[int]) -> None:
    batch = list(range(pictures))
    dealt = [Ranks(index, 2).deal(batch) for index in range(2)]
    assert [len(part) for part in dealt] == parts
    assert dealt == [batch, batch] if pictures == 1 else dealt[0] + dealt[1] == batch


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    listener = Recorder()
    run_training(make_config(tmp_path_factory.mktemp("alone"), **CHOICES), listener)
    return listener


def test_two_processes_see_what_one_sees(tmp_path: Path, alone: Recorder) -> None:
    listener, config = Recorder(), make_config(tmp_path, devices=2, **CHOICES)
    result = run_training(config, listener)
    assert [report.step for report in listener.steps] == [report.step for report in alone.steps]
    assert [report.pictures for report in listener.steps] == [report.pictures for report in alone.steps]
    assert [report.loss for report in listener.steps] == pytest.approx(
        [report.loss for report in alone.steps], rel=LOSS_TOLERANCE
    )
    assert [report.miou for report in listener.epochs] == pytest.approx(
        [report.miou for report in alone.epochs], abs=MIOU_TOLERANCE
    )
    assert result.surroundings["processes"] == 2
    log = [json.loads(line) for line in (config.run_folder / "log.jsonl").read_text().splitlines()]
    assert log == [report.as_json() for report in listener.epochs]


def test_two_processes_stop_and_resume_to_the_same_weights(tmp_path: Path) -> None:
    choices = {**CHOICES, "dropout": 0.5, "devices": 2}
    whole = run_training(make_config(tmp_path / "whole", **choices))
    parts, first, second = make_config(tmp_path / "parts", **choices), Stopper(STEPS_PER_EPOCH + 1), Recorder()
    with pytest.raises(StoppedError, match="in epoch 2 of 2 after a checkpoint; go on with --resume"):
        run_training(parts, first)
    assert run_training(replace(parts, resume=True), second).weights_sha256 == whole.weights_sha256
    assert [report.step for report in first.steps + second.steps] == list(range(1, 2 * STEPS_PER_EPOCH + 1))


def test_a_killed_process_ends_the_run_with_a_sentence_and_resume_goes_on(tmp_path: Path) -> None:
    config, listener = make_config(tmp_path, devices=2, **CHOICES), RankKiller()
    with pytest.raises(UnavailableError, match="one of the 2 processes of this training was killed"):
        run_training(config, listener)
    assert not any(one.is_alive() for one in listener.others)
    assert (config.run_folder / LAST).is_file()
    assert [report.epoch for report in listener.epochs] == [1]
    resumed = Recorder()
    run_training(replace(config, resume=True), resumed)
    assert [report.epoch for report in resumed.epochs] == [2]


class RankKiller(Recorder):
    """Kills the process that nobody hears of, after the first epoch."""

    others: list[multiprocessing.process.BaseProcess]

    def on_epoch(self, report) -> None:
        super().on_epoch(report)
        self.others = [one for one in multiprocessing.active_children() if one.pid]
        os.kill(max(one.pid for one in self.others if one.pid), signal.SIGKILL)


def test_what_ails_one_process_is_said(tmp_path: Path) -> None:
    config = make_config(tmp_path, devices=2, **CHOICES)
    broken = [sample for sample in config.samples if sample.split is Split.TRAIN][-1]
    broken.image_path.write_bytes(b"no picture")
    with pytest.raises(InvalidDatasetError, match=broken.name):
        run_training(config)


def test_fewer_pictures_in_a_batch_than_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="--devices 3: a batch of 2 has not a picture for each"):
        run_training(make_config(tmp_path, devices=3, batch_size=2))
