from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import ROAD, SIGN, draw_samples  # noqa: E402
from tests.training.runs import (  # noqa: E402
    STEPS_PER_EPOCH,
    Finisher,
    Recorder,
    Stopper,
    make_config,
    relabel,
    score_weights,
)

from atrous.core.class_map import VOID_ID  # noqa: E402
from atrous.core.errors import InvalidDatasetError, InvalidInputError, StoppedError, UnavailableError  # noqa: E402
from atrous.datasets.splits import Split  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.training.listener import StepReport
    from atrous.training.recipe import TrainingConfig

# One class hides under another: a network that learns the road is wrong on every valid pixel.
SWAPPED = {0: ROAD, ROAD: 0}


def read_log(config: TrainingConfig) -> list[dict]:
    return [json.loads(line) for line in (config.run_folder / "log.jsonl").read_text().splitlines()]


def test_a_run_learns_what_colours_mean(tmp_path: Path) -> None:
    listener = Recorder()
    config = make_config(tmp_path, epochs=24, learning_rate=5e-3, validate_every=8, ema_horizon=0.1, colour_jitter=0.1)
    result = run_training(config, listener)
    assert listener.epochs[-1].loss < 0.5 * listener.epochs[0].loss
    assert result.best_miou > 0.6  # background everywhere gives about 0.25


def test_each_epoch_is_a_report_and_a_line_of_the_log(tmp_path: Path) -> None:
    listener = Recorder()
    config = make_config(tmp_path, epochs=3, validate_every=2)
    run_training(config, listener)
    assert read_log(config) == [report.as_json() for report in listener.epochs]
    assert [report.epoch for report in listener.epochs] == [1, 2, 3]
    assert [report.miou is None for report in listener.epochs] == [True, False, False]
    assert [report.step for report in listener.steps] == list(range(1, 3 * STEPS_PER_EPOCH + 1))
    assert [report.pictures for report in listener.steps] == [2, 2, 1] * 3
    steps = [report.loss for report in listener.steps]
    assert listener.epochs[1].loss == pytest.approx(sum(steps[3:6]) / 3)
    assert all(report.pictures_per_s > 0 for report in listener.epochs)
    assert all(0 < report.data_wait_share < 1 for report in listener.epochs)


def test_the_best_checkpoint_is_the_epoch_of_the_highest_valid_miou(tmp_path: Path) -> None:
    listener = Recorder()
    config = make_config(tmp_path, epochs=6, learning_rate=5e-3, ema_horizon=0.0)
    relabel(config, Split.VALID, lambda mask_HW: cv2.LUT(mask_HW, make_table(SWAPPED)))
    result = run_training(config, listener)
    scores = [report.miou for report in listener.epochs]
    assert result.best_epoch == scores.index(max(scores)) + 1 < config.recipe.epochs
    assert result.best_miou == max(scores)
    assert [report.is_best for report in listener.epochs] == [
        score > max([-1.0, *scores[:index]]) for index, score in enumerate(scores)
    ]
    assert score_weights(result, config) == pytest.approx(max(scores), abs=1e-3)


@pytest.mark.parametrize(("labelled", "adjustment"), [(SIGN, 0.0), (0, 1.0)])
def test_class_weights_are_taken_out_as_far_as_valid_pictures_want(
    tmp_path: Path, labelled: int, adjustment: float
) -> None:
    # A third of each sign's columns are labelled so, which is finer than the network's grid, and the class weighs seven
    # times as much as what is around it: such a network sees whole signs, and only without the weights sees none.
    config = make_config(tmp_path, epochs=24, learning_rate=5e-3, validate_every=24, ema_horizon=0.1)
    relabel(config, Split.TRAIN, thin_signs)
    relabel(config, Split.VALID, lambda mask_HW: np.where(mask_HW == SIGN, np.uint8(labelled), mask_HW))
    result = run_training(config)
    assert result.list_adjustments() == [adjustment] * len(config.class_map)
    assert score_weights(result, config) == pytest.approx(result.best_miou, abs=1e-3)


def thin_signs(mask_HW):
    is_left_out_HW = (mask_HW == SIGN) & (np.arange(mask_HW.shape[1]) % 3 > 0)
    return np.where(is_left_out_HW, np.uint8(0), mask_HW)


def make_table(values: dict[int, int]):
    table = np.arange(256, dtype=np.uint8)
    for value, other in values.items():
        table[value] = other
    return table


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path: Path) -> None:
    first, again, other = (
        run_training(make_config(tmp_path / name, epochs=1, seed=seed)).weights_sha256
        for name, seed in (("first", 7), ("again", 7), ("other", 8))
    )
    assert first == again != other


def test_worker_processes_change_no_weight(tmp_path: Path) -> None:
    alone, helped = (
        run_training(make_config(tmp_path / str(workers), epochs=2, workers=workers)).weights_sha256
        for workers in (0, 2)
    )
    assert alone == helped


@pytest.mark.parametrize(
    "shortage",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_memory_that_does_not_suffice_is_said(tmp_path: Path, shortage: RuntimeError) -> None:
    class Greedy(Recorder):
        def on_step(self, report: StepReport) -> None:
            super().on_step(report)
            raise shortage

    with pytest.raises(InvalidInputError, match="--batch-size 2: the device has not enough memory"):
        run_training(make_config(tmp_path), Greedy())


def test_a_model_tells_what_it_was_trained_on(tmp_path: Path) -> None:
    surroundings = run_training(make_config(tmp_path, epochs=1)).surroundings
    assert surroundings["torch"] == torch.__version__
    assert (surroundings["threads"], surroundings["processes"]) == (torch.get_num_threads(), 1)


def test_pictures_without_any_label_train_to_finite_weights(tmp_path: Path) -> None:
    listener = Recorder()
    config = make_config(tmp_path, epochs=1)
    relabel(config, Split.TRAIN, lambda mask_HW: mask_HW * 0 + VOID_ID)
    result = run_training(config, listener)
    assert [report.loss for report in listener.steps] == [0.0] * STEPS_PER_EPOCH
    assert all(torch.isfinite(value).all() for value in result.weights.values())


def test_a_stop_is_heard_though_an_epoch_is_a_single_batch(tmp_path: Path) -> None:
    listener = Stopper(after_steps=1)
    with pytest.raises(StoppedError, match=r"after epoch 1 of 3 .*--resume"):
        run_training(make_config(tmp_path, batch_size=8), listener)
    assert len(listener.steps) == 1


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VALID])
def test_a_version_without_a_split_is_refused(tmp_path: Path, split: Split) -> None:
    config = make_config(tmp_path)
    others = tuple(sample for sample in config.samples if sample.split is not split)
    with pytest.raises(InvalidInputError, match=f"no {split} pictures"):
        run_training(replace(config, samples=others))


def test_an_id_beyond_the_classes_is_refused_by_its_mask(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    relabel(config, Split.TRAIN, lambda mask_HW: cv2.LUT(mask_HW, make_table({ROAD: 9})))
    with pytest.raises(InvalidDatasetError, match="has value 9, but there are 3 classes"):
        run_training(config)


def test_valid_pictures_without_any_label_are_refused(tmp_path: Path) -> None:
    config = make_config(tmp_path, epochs=1)
    relabel(config, Split.VALID, lambda mask_HW: mask_HW * 0 + VOID_ID)
    with pytest.raises(InvalidInputError, match="every label of the valid pictures is void"):
        run_training(config)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="--device cuda: torch finds no GPU"):
        run_training(make_config(tmp_path, device="cuda"))


def test_a_hub_out_of_reach_ends_the_run_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    config = make_config(tmp_path, encoder_weights="imagenet")
    with pytest.raises(UnavailableError, match="--encoder-weights none"):
        run_training(config)
    assert list(config.run_folder.iterdir()) == []


def test_drawn_samples_are_the_same_each_time(tmp_path: Path) -> None:
    ours, theirs = draw_samples(tmp_path / "a"), draw_samples(tmp_path / "b")
    assert [one.image_path.read_bytes() for one in ours] == [one.image_path.read_bytes() for one in theirs]


@pytest.mark.gpu
def test_a_stopped_run_on_a_gpu_reaches_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run_training(make_config(tmp_path / "whole", device="cuda"))
    with pytest.raises(StoppedError):
        run_training(make_config(tmp_path / "parts", device="cuda"), Stopper(after_steps=4))
    assert run_training(make_config(tmp_path / "parts", device="cuda", resume=True)).weights_sha256 == (
        whole.weights_sha256
    )


def test_a_training_whose_listener_has_enough_gives_the_best_weights_so_far(tmp_path: Path) -> None:
    whole = run_training(make_config(tmp_path / "whole", epochs=1))
    listener = Finisher(after_steps=STEPS_PER_EPOCH + 1)
    result = run_training(make_config(tmp_path / "cut"), listener)
    assert len(listener.steps) == STEPS_PER_EPOCH + 1
    assert result.best_epoch == whole.best_epoch == 1


@pytest.mark.parametrize("after_steps", [1, STEPS_PER_EPOCH])
def test_a_training_that_was_never_validated_is_before_it_ends_early(tmp_path: Path, after_steps: int) -> None:
    listener = Finisher(after_steps)
    result = run_training(make_config(tmp_path, validate_every=3), listener)
    assert (len(listener.steps), result.best_epoch) == (after_steps, 1)
    assert result.best_miou > 0
