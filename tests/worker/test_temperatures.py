from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import SIZE

from atrous.bundle.bundle import open_bundle
from atrous.datasets.splits import Split
from atrous.evaluation.score_warnings import Kind
from atrous.runtime.loading import REPRODUCIBLE, load_engine
from atrous.worker.bundling import score_bundle
from atrous.worker.evaluation import score_engine
from atrous.worker.temperatures import find_temperature

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.content import Sample


def choose(samples: tuple[Sample, ...], split: Split) -> list[Sample]:
    return [sample for sample in samples if sample.split is split]


def test_a_published_bundle_tells_its_temperature_and_is_evaluated_with_it(
    folder: Path, samples: tuple[Sample, ...]
) -> None:
    score_bundle(folder, samples, {}, int8="off")
    bundle = open_bundle(folder)
    told = bundle.manifest.calibration
    assert told["temperature"] == bundle.manifest.temperature
    assert told["ece_after"] < told["ece_before"]
    assert 1000 < told["pixels"] <= 100_000
    assert "negative log-likelihood" in told["rule"]
    calibration = score_engine(
        load_engine(folder, REPRODUCIBLE), choose(samples, Split.VALID), threshold=0.4
    ).calibration
    assert calibration.temperature == told["temperature"]
    assert calibration.before.ece == pytest.approx(told["ece_before"], abs=0.01)
    assert calibration.after is not None
    assert calibration.after.ece == pytest.approx(told["ece_after"], abs=0.01)


def test_the_same_pictures_give_the_same_temperature(folder: Path, samples: tuple[Sample, ...]) -> None:
    engine = load_engine(folder, REPRODUCIBLE)
    assert find_temperature(engine, samples) == find_temperature(engine, samples)


def test_void_pictures_give_no_temperature(folder: Path, samples: tuple[Sample, ...]) -> None:
    valid = choose(samples, Split.VALID)
    for sample in valid:
        cv2.imwrite(str(sample.mask_path), np.full((SIZE.height, SIZE.width), 255, np.uint8))
    engine = load_engine(folder, REPRODUCIBLE)
    assert find_temperature(engine, valid) is None
    assert find_temperature(engine, []) is None
    score_bundle(folder, samples, {}, int8="off")
    assert open_bundle(folder).manifest.calibration == {}


def test_what_to_bear_in_mind_about_the_scores_is_published_with_them(
    folder: Path, samples: tuple[Sample, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = tmp_path / "seen.png"
    shutil.copy(choose(samples, Split.TRAIN)[0].image_path, seen)
    first, *others = choose(samples, Split.VALID)
    leaking = (*choose(samples, Split.TRAIN), replace(first, image_path=seen), *others)
    with caplog.at_level(logging.WARNING):
        score_bundle(folder, leaking, {}, int8="off")
    warnings = {warning["kind"]: warning for warning in open_bundle(folder).manifest.metrics["warnings"]}
    assert warnings[Kind.FEW_PICTURES]["values"] == {"pictures": 2}
    assert warnings[Kind.SEEN_PICTURES]["pictures"] == [first.name]
    assert warnings[Kind.SEEN_PICTURES]["message"] in caplog.text
