"""From weights to a bundle that is compared with them and scored, as it will be served."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.bundle.bundle import open_bundle
from atrous.bundle.preprocessing import normalise
from atrous.datasets.content import load_fitted, load_sample
from atrous.datasets.splits import Split
from atrous.evaluation.intervals import interval_json
from atrous.runtime.backends.onnx import open_onnx
from atrous.runtime.engine import Engine
from atrous.worker.drawn_pictures import draw_pictures
from atrous.worker.evaluation import score_engine
from atrous.worker.picture_sizes import describe_pictures
from atrous.worker.split_traits import warn_about_train
from atrous.worker.temperatures import find_temperature

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from atrous.bundle.bundle import Bundle
    from atrous.bundle.preprocessing import Preprocessing
    from atrous.datasets.content import Sample
    from atrous.evaluation.evaluate import Evaluation
    from atrous.workspace.records import Training, Version

PARITY_PICTURES = 4
CALIBRATION_PICTURES = 64
CALIBRATION_SEED = 0
SERVED_THRESHOLD = 0.4
# What a recipe says of a network in 8 bits.
INT8_OFF = "off"

logger = logging.getLogger(__name__)


def export_bundle(
    folder: Path,
    training: Training,
    version: Version,
    samples: Sequence[Sample],
    *,
    weights: dict[str, Tensor],
    facts: Mapping[str, Any],
) -> None:
    """Write weights as a bundle, compared with them on pictures of the version's split valid, or on drawn ones.

    Args:
        folder: an existing, empty folder.
        training: what made the weights; its recipe names the network.
        version: what they were made on.
        samples: all of the version's; a version without pictures is compared on drawn ones.
        weights: state dict of the network.
        facts: what the manifest is to say beside the recipe.

    Raises:
        InvalidBundleError: if the exported network disagrees with the weights.
        OSError: if the disk refuses.
    """
    from atrous.export.bundle import Provenance, write_bundle

    valid = [sample for sample in samples if sample.split is Split.VALID][:PARITY_PICTURES]
    pictures_HWC = [load_sample(sample, auto_orient=version.preprocessing.auto_orient)[0] for sample in valid]
    if not samples:
        pictures_HWC = draw_pictures(version.preprocessing.size, PARITY_PICTURES)
    provenance = Provenance(
        model_id=str(version.id),
        architecture=training.recipe["architecture"],
        encoder=training.recipe["encoder"],
        recipe=training.recipe | dict(facts) | describe_pictures(samples, version.preprocessing),
        version_hash=version.content_sha256,
        created=training.created.isoformat(),
    )
    write_bundle(
        folder,
        weights=weights,
        class_map=version.class_map,
        preprocessing=version.preprocessing,
        provenance=provenance,
        pictures_HWC=pictures_HWC,
    )


def score_bundle(
    folder: Path, samples: Sequence[Sample], facts: Mapping[str, Any], *, int8: str = "auto"
) -> dict[str, Any]:
    """Score the bundle itself on valid, as what is published is what was measured; give the metrics of its model.

    The manifest gets them whole, with the facts, the temperature of the network and what to bear in mind about the
    scores. A network in 8 bits joins the bundle if it scores as well.

    Args:
        folder: what `export_bundle` wrote.
        samples: all of the version's.
        facts: what the manifest is to say beside the scores.
        int8: `auto`, or `off` where none is to be tried.

    Raises:
        InvalidBundleError: if the bundle does not verify.
        OSError: if the disk refuses.
    """
    from atrous.export.bundle import record_metrics

    bundle = open_bundle(folder)
    evaluation = _warn(_score_weights(bundle, bundle.weights_onnx, samples), bundle, samples)
    metrics = {
        "split": Split.VALID.value,
        **facts,
        "plain": evaluation.plain.as_json(),
        "served": evaluation.served.as_json(),
        "threshold": evaluation.threshold,
        "warnings": [warning.as_json() for warning in evaluation.warnings],
    }
    record_metrics(folder, metrics)
    _add_temperature(bundle, samples)
    scores = {"miou": evaluation.plain.mean_iou, "served_miou": evaluation.served.mean_iou}
    intervals = evaluation.plain.intervals
    scores |= {"miou_interval": interval_json(intervals.mean_iou)} if intervals else {}
    sizes = {"fp32_bytes": bundle.weights_onnx.stat().st_size}
    of_int8 = {} if int8 == INT8_OFF else _add_int8(bundle, samples, evaluation.plain.mean_iou)
    return {"split": metrics["split"]} | scores | sizes | of_int8


def _warn(evaluation: Evaluation, bundle: Bundle, samples: Sequence[Sample]) -> Evaluation:
    train = [sample for sample in samples if sample.split is Split.TRAIN]
    auto_orient = bundle.preprocessing.auto_orient
    warned = warn_about_train(evaluation, Split.VALID, train, bundle.class_map, auto_orient=auto_orient)
    for warning in warned.warnings:
        logger.warning("%s: %s", bundle.manifest.model_id, warning.message)
    return warned


def _add_temperature(bundle: Bundle, samples: Sequence[Sample]) -> None:
    from atrous.export.bundle import record_calibration

    valid = [sample for sample in samples if sample.split is Split.VALID]
    found = find_temperature(Engine(bundle, open_onnx(bundle.weights_onnx, 0)), valid)
    if found is not None:
        record_calibration(bundle.folder, found.as_json())


def _add_int8(bundle: Bundle, samples: Sequence[Sample], fp32_miou: float | None) -> dict[str, Any]:
    from atrous.export.int8 import add_int8

    found = add_int8(
        bundle.folder,
        lambda: _read_inputs(samples, bundle.preprocessing),
        lambda weights: _score_weights(bundle, weights, samples).plain.mean_iou,
        fp32_miou,
    )
    if found.reason:
        logger.warning("%s: %s", bundle.manifest.model_id, found.reason)
        return {"int8_reason": found.reason}
    return {"int8_miou": found.miou, "int8_bytes": found.bytes}


def _score_weights(bundle: Bundle, weights: Path, samples: Sequence[Sample]) -> Evaluation:
    """Score one of a bundle's networks on valid."""
    valid = [sample for sample in samples if sample.split is Split.VALID]
    engine = Engine(bundle, open_onnx(weights, 0))
    return score_engine(engine, valid, threshold=SERVED_THRESHOLD)


def _read_inputs(samples: Sequence[Sample], preprocessing: Preprocessing) -> Generator[NDArray[np.float32]]:
    """Some of the train pictures as the network sees them, the same ones each time."""
    train = [sample for sample in samples if sample.split is Split.TRAIN]
    chosen: list[int] = np.random.default_rng(CALIBRATION_SEED).permutation(len(train))[:CALIBRATION_PICTURES].tolist()
    for index in chosen:
        yield normalise(load_fitted(train[index], preprocessing)[0], preprocessing)
