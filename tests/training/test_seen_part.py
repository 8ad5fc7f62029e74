"""Of a version with a crop, training learns what is inside and validation also counts what is outside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import CLASS_MAP  # noqa: E402
from tests.training.runs import make_config  # noqa: E402

from atrous.bundle.preprocessing import Fit, fit_mask  # noqa: E402
from atrous.bundle.regions import StaticCrop  # noqa: E402
from atrous.datasets.content import load_sample  # noqa: E402
from atrous.evaluation.confusion import count_pixels  # noqa: E402
from atrous.evaluation.scores import compute_scores  # noqa: E402
from atrous.training.batches import FittedSamples  # noqa: E402
from atrous.training.validation import validate  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from atrous.training.recipe import TrainingConfig


class SaysOne(torch.nn.Module):
    """A network that takes every pixel for class 1."""

    def score(self, input_BCHW: Tensor) -> Tensor:
        logits_BKHW = torch.zeros(len(input_BCHW), len(CLASS_MAP), *input_BCHW.shape[2:])
        logits_BKHW[:, 1] = 9
        return logits_BKHW


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    config = make_config(tmp_path)
    crop = StaticCrop(0, 0, 50, 100)
    return replace(config, preprocessing=replace(config.preprocessing, fit=Fit.LETTERBOX_BLACK, crop=crop))


def test_what_is_outside_is_validated_as_the_background_that_a_server_answers(config: TrainingConfig) -> None:
    counts_KK = np.zeros((len(CLASS_MAP), len(CLASS_MAP)), np.int64)
    for sample in config.samples:
        label_HW = load_sample(sample)[1]
        answer_HW = np.zeros_like(label_HW)
        answer_HW[:, : label_HW.shape[1] // 2] = 1
        counts_KK += count_pixels(label_HW, answer_HW, class_count=len(CLASS_MAP))
    expected = compute_scores(counts_KK, CLASS_MAP).mean_iou
    assert expected is not None
    assert validate(SaysOne(), config.samples, config, torch.device("cpu")) == pytest.approx([expected], abs=1e-12)


def test_what_is_outside_is_no_part_of_a_batch(config: TrainingConfig) -> None:
    uncropped = replace(config.preprocessing, crop=None)
    for index, sample in enumerate(config.samples):
        _, mask_HW = FittedSamples(config.samples, config.preprocessing)[index]
        label_HW = load_sample(sample)[1]
        inside_HW = np.ascontiguousarray(label_HW[:, : label_HW.shape[1] // 2])
        np.testing.assert_array_equal(mask_HW, fit_mask(inside_HW, uncropped))
        assert mask_HW.shape == (config.preprocessing.size.height, config.preprocessing.size.width)
