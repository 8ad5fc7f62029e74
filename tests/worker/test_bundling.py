from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")


from atrous.bundle.bundle import open_bundle
from atrous.worker.bundling import score_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.content import Sample


def test_scores_and_size_of_the_network_are_told_where_8_bits_are_off(
    folder: Path, samples: tuple[Sample, ...]
) -> None:
    metrics = score_bundle(folder, samples, {"best_epoch": 3}, int8="off")
    manifest = open_bundle(folder).manifest
    assert manifest.metrics["best_epoch"] == 3
    assert metrics == {
        "split": "valid",
        "miou": manifest.metrics["plain"]["mean_iou"],
        "miou_interval": manifest.metrics["plain"]["interval"]["mean_iou"],
        "served_miou": manifest.metrics["served"]["mean_iou"],
        "fp32_bytes": (folder / "weights.onnx").stat().st_size,
    }
    assert manifest.int8 == {}


def test_why_there_is_no_network_in_8_bits_is_told(
    folder: Path, samples: tuple[Sample, ...], caplog: pytest.LogCaptureFixture
) -> None:
    metrics = score_bundle(folder, samples, {})
    bundle = open_bundle(folder)
    assert bundle.weights_int8_onnx is None
    reason = "no network in 8 bits, as it has one layer alone; the model answers in float32"
    assert metrics["int8_reason"] == bundle.manifest.int8["reason"] == reason
    assert reason in caplog.text
    assert "int8_miou" not in metrics


def test_a_train_picture_that_is_gone_costs_the_8_bits_alone(folder: Path, samples: tuple[Sample, ...]) -> None:
    samples[0].image_path.unlink()
    metrics = score_bundle(folder, samples, {})
    assert metrics["int8_reason"].startswith("no network in 8 bits, as making it failed (")
    assert 0 <= metrics["miou"] <= 1
