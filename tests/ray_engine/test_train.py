"""`atrous train --engine ray`: the weights of one machine, though a process is lost."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.ray_engine.processes import find_processes
from tests.training.runs import Recorder, Stopper, make_config

from atrous.cli.engines import TrainSite, find_engine
from atrous.core.errors import InvalidDatasetError, InvalidInputError, StoppedError
from atrous.core.ids import VersionId
from atrous.datasets.splits import Split
from atrous.training.loop import run_training

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.training.listener import EpochReport
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import TrainingConfig

RANK = "ray::RayTrainWorker"
SITE = TrainSite("default", VersionId("road", 1), "")
# So many epochs that most are still to come when the first one is heard of.
EPOCHS = 40
CHOICES = {"epochs": EPOCHS, "batch_size": 4, "devices": 2, "validate_every": EPOCHS}


def train(config: TrainingConfig, listener: Recorder) -> TrainingResult:
    return find_engine("ray").train(SITE, config, listener)


class RankKiller(Recorder):
    """Kills a process after the first epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.before = self.after = set[int]()

    def on_epoch(self, report: EpochReport) -> None:
        super().on_epoch(report)
        self.before = self.before or find_processes(RANK)
        self.after = find_processes(RANK)
        if len(self.epochs) == 1:
            os.kill(max(self.before), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_lost_process_changes_nothing_about_the_weights(tmp_path: Path) -> None:
    alone, killer = Recorder(), RankKiller()
    expected = run_training(make_config(tmp_path / "alone", **CHOICES), alone)
    config = make_config(tmp_path / "cluster", **CHOICES)
    assert train(config, killer).weights_sha256 == expected.weights_sha256
    assert len(killer.before) == 2
    assert killer.before != killer.after
    assert {report.step: report.loss for report in killer.steps} == {report.step: report.loss for report in alone.steps}
    assert [report.epoch for report in killer.epochs] == list(range(1, EPOCHS + 1))
    assert {path.name for path in config.run_folder.iterdir()} == {"best.pt", "last.pt", "log.jsonl"}


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_stopped_training_goes_on_where_it_was(tmp_path: Path) -> None:
    first, second = Stopper(1), Recorder()
    config = make_config(tmp_path, **CHOICES)
    with pytest.raises(StoppedError, match="go on with --resume"):
        train(config, first)
    train(config, second)
    steps = [report.step for report in first.steps + second.steps]
    assert steps == list(range(1, 2 * EPOCHS + 1))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_what_ails_one_process_is_said_and_not_tried_again(tmp_path: Path) -> None:
    config = make_config(tmp_path, **CHOICES)
    broken = [sample for sample in config.samples if sample.split is Split.TRAIN][-1]
    broken.image_path.write_bytes(b"no picture")
    with pytest.raises(InvalidDatasetError, match=broken.name):
        train(config, Recorder())


@pytest.mark.usefixtures("cluster")
def test_fewer_pictures_in_a_batch_than_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="--workers 3: a batch of 2 has not a picture for each"):
        train(make_config(tmp_path, devices=3, batch_size=2), Recorder())
