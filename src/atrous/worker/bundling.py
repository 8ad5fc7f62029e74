"""From weights to a bundle that is compared with them and scored, as it will be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.datasets.content import load_sample
from atrous.datasets.splits import Split
from atrous.worker.evaluation import evaluate_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from atrous.datasets.content import Sample
    from atrous.workspace.records import Training, Version

PARITY_PICTURES = 4
SERVED_THRESHOLD = 0.4


def export_bundle(
    folder: Path,
    training: Training,
    version: Version,
    samples: Sequence[Sample],
    *,
    weights: dict[str, Tensor],
    facts: Mapping[str, Any],
) -> None:
    """Write weights as a bundle, compared with them on pictures of the version's split valid.

    Args:
        folder: an existing, empty folder.
        training: what made the weights; its recipe names the network.
        version: what they were made on.
        samples: all of the version's.
        weights: state dict of the network.
        facts: what the manifest is to say beside the recipe.

    Raises:
        InvalidBundleError: if the exported network disagrees with the weights.
        OSError: if the disk refuses.
    """
    from atrous.export.bundle import Provenance, write_bundle

    valid = [sample for sample in samples if sample.split is Split.VALID][:PARITY_PICTURES]
    pictures_HWC = [load_sample(sample, auto_orient=version.preprocessing.auto_orient)[0] for sample in valid]
    provenance = Provenance(
        model_id=str(version.id),
        architecture=training.recipe["architecture"],
        encoder=training.recipe["encoder"],
        recipe=training.recipe | dict(facts),
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


def score_bundle(folder: Path, samples: Sequence[Sample], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Score the bundle itself on valid, as what is published is what was measured; give the metrics of its model.

    The manifest gets them whole, with the facts.
    """
    from atrous.export.bundle import record_metrics

    valid = [sample for sample in samples if sample.split is Split.VALID]
    evaluation = evaluate_samples(folder, valid, threshold=SERVED_THRESHOLD)
    metrics = {
        "split": Split.VALID.value,
        **facts,
        "plain": evaluation.plain.as_json(),
        "served": evaluation.served.as_json(),
        "threshold": evaluation.threshold,
    }
    record_metrics(folder, metrics)
    return {"split": metrics["split"], "miou": evaluation.plain.mean_iou, "served_miou": evaluation.served.mean_iou}
