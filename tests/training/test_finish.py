from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import ROAD, SIGN  # noqa: E402
from tests.training.runs import make_config, relabel, score_weights  # noqa: E402

from atrous.datasets.splits import Split  # noqa: E402
from atrous.training.checkpoint import hash_weights  # noqa: E402
from atrous.training.finish import adjust_classes  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


def thin_out(mask_HW, *, classes: tuple[int, ...]):
    """Leave every third column of some classes; the rest becomes background."""
    is_left_out_HW = np.isin(mask_HW, classes) & (np.arange(mask_HW.shape[1]) % 3 > 0)
    return np.where(is_left_out_HW, np.uint8(0), mask_HW)


def test_a_training_ends_with_the_weights_that_each_class_wants(tmp_path: Path) -> None:
    # Of both classes a third of the columns is labelled so, finer than the network's grid; valid pictures show whole
    # roads and no signs.
    config = make_config(tmp_path, epochs=24, learning_rate=5e-3, validate_every=24, ema_horizon=0.1)
    relabel(config, Split.TRAIN, lambda mask_HW: thin_out(mask_HW, classes=(ROAD, SIGN)))
    relabel(config, Split.VALID, lambda mask_HW: np.where(mask_HW == SIGN, np.uint8(0), mask_HW))
    trained = run_training(config)
    adjusted = adjust_classes(trained, config)
    alike, by_class = trained.list_adjustments(), adjusted.list_adjustments()
    assert len(set(alike)) == 1
    assert by_class[ROAD] < by_class[SIGN]
    assert adjusted.best_miou > trained.best_miou
    assert score_weights(adjusted, config) == pytest.approx(adjusted.best_miou, abs=1e-3)
    assert adjusted.weights_sha256 == hash_weights(adjusted.weights) != trained.weights_sha256
    assert adjust_classes(adjusted, config).weights_sha256 == adjusted.weights_sha256


def test_a_training_that_weighed_no_class_is_left_as_it_is(tmp_path: Path) -> None:
    config = make_config(tmp_path, epochs=1, class_weights="none")
    trained = run_training(config)
    assert adjust_classes(trained, config) is trained
    assert trained.list_adjustments() == []
