"""One training of an ablation, in a process of its own: `python -m benchmarks.ablation_run FOLDER`.

FOLDER holds `spec.json`, as `benchmarks.ablation` writes it, and gets `run.json`; what was killed in between goes on
from its checkpoint.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from atrous.adapters.home import open_home
from atrous.core.ids import parse_version_id
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.evaluation.intervals import find_intervals, interval_json
from atrous.evaluation.picture_counts import PictureCounter
from atrous.evaluation.scores import compute_scores
from atrous.models.architectures import build_network, read_shape
from atrous.training.finish import adjust_classes
from atrous.training.listener import SilentListener
from atrous.training.log import LOG
from atrous.training.loop import run_training
from atrous.training.recipe import TrainingConfig, read_recipe
from atrous.training.validation import count_pictures
from atrous.workspace.versions import find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.datasets.content import Sample
    from atrous.evaluation.picture_counts import PictureCounts
    from atrous.training.listener import EpochReport
    from atrous.training.loop import TrainingResult

SPEC, RUN = "spec.json", "run.json"


@dataclass(frozen=True, slots=True)
class Spec:
    """One run.

    Attributes:
        home: folder of the version.
        recipe: every choice by name.
        budget: as the plan has it.
    """

    name: str
    home: str
    workspace: str
    version: str
    version_sha256: str
    changes: dict[str, Any]
    recipe: dict[str, Any]
    budget: dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and score."""
    (folder,) = map(Path, sys.argv[1:] if arguments is None else arguments)
    spec = Spec(**json.loads((folder / SPEC).read_text(encoding="utf-8")))
    config = make_config(spec, folder / "run")
    listener = _Budget(float(spec.budget["seconds"]))
    result = adjust_classes(run_training(config, listener), config)
    epochs = [json.loads(line) for line in (config.run_folder / LOG).read_text(encoding="utf-8").splitlines()]
    content = {"spec": json.loads((folder / SPEC).read_text(encoding="utf-8"))} | _score(result, config)
    content |= {"best_epoch": result.best_epoch, "weights_sha256": result.weights_sha256, "epochs": epochs}
    content |= {"seconds": sum(epoch["seconds"] for epoch in epochs), "torch": torch.__version__}
    written = folder / f"{RUN}.part"
    written.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    written.replace(folder / RUN)
    shutil.rmtree(config.run_folder)
    return 0


def make_config(spec: Spec, run_folder: Path) -> TrainingConfig:
    """What is trained, on what."""
    ports = open_home(Path(spec.home))
    version = find_version(ports, spec.workspace, parse_version_id(spec.version))
    samples = list_samples(ports, version)
    chosen = (
        *_spread([one for one in samples if one.split is Split.TRAIN], spec.budget["train_pictures"]),
        *_spread([one for one in samples if one.split is Split.VALID], spec.budget["valid_pictures"]),
    )
    size = spec.budget["size"]
    preprocessing = replace(version.preprocessing, size=Size(**size)) if size else version.preprocessing
    run_folder.mkdir(parents=True, exist_ok=True)
    return TrainingConfig(run_folder, chosen, version.class_map, preprocessing, read_recipe(spec.recipe), resume=True)


class _Budget(SilentListener):
    """Has enough once the epochs have taken so long; 0 is never."""

    def __init__(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds if seconds else float("inf")

    def should_finish(self) -> bool:
        return time.monotonic() > self._end_s

    def on_epoch(self, report: EpochReport) -> None:
        miou = "-" if report.miou is None else f"{report.miou:.4f}"
        print(f"  epoch {report.epoch}/{report.epochs} loss {report.loss:.4f} mIoU {miou}", flush=True)


def _spread(samples: list[Sample], count: int) -> list[Sample]:
    if not 0 < count < len(samples):
        return samples
    return [samples[place * len(samples) // count] for place in range(count)]


def _score(result: TrainingResult, config: TrainingConfig) -> dict[str, Any]:
    """Score the best weights on valid by plain winner, picture by picture."""
    recipe, class_count = config.recipe, len(config.class_map)
    network = build_network(recipe.architecture, recipe.encoder, class_count, read_shape(recipe.as_json()))
    network.network.load_state_dict(result.weights)
    valid = [sample for sample in config.samples if sample.split is Split.VALID]
    counter, total_KK = PictureCounter(class_count), 0
    for (counts_KK,) in count_pictures(network.eval(), valid, config, torch.device("cpu")):
        counter.add(counts_KK)
        total_KK = total_KK + counts_KK
    counts = counter.finish()
    scores, intervals = compute_scores(total_KK, config.class_map), find_intervals(counts)
    return {
        "miou": scores.mean_iou,
        "interval": interval_json(intervals.mean_iou) if intervals else None,
        "classes": {one.name: one.iou for one in scores.classes},
        "counts": _write_counts(counts),
    }


def _write_counts(counts: PictureCounts) -> dict[str, Any]:
    return {name: getattr(counts, name).tolist() for name in ("found_PK", "label_PK", "predicted_PK")}


if __name__ == "__main__":
    raise SystemExit(main())
