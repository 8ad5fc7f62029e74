"""The evaluation job: a published model in, its scores at every threshold and its best threshold out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.core.class_map import BACKGROUND_ID
from atrous.core.errors import InvalidInputError, NotFoundError, StoppedError, StorageError
from atrous.datasets.content import load_sample
from atrous.evaluation.intervals import find_intervals, interval_json
from atrous.evaluation.kept import write_evaluation
from atrous.evaluation.recommendations import recommend
from atrous.evaluation.summary import METRICS_RULE, find_best_percent, summarise
from atrous.evaluation.sweep import rate_classes, sweep_thresholds
from atrous.evaluation.tally import Named, Tally, add_tallies, read_tally, tally_picture, write_tally
from atrous.runtime.loading import REPRODUCIBLE, load_engine
from atrous.workspace.evaluations import DECIDING_SPLIT, SCORED_SPLITS, find_evaluation, finish_evaluation
from atrous.workspace.records import EvaluationState
from atrous.workspace.versions import find_version, list_content, make_sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atrous.core.class_map import ClassMap
    from atrous.runtime.engine import Engine
    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model, ModelEvaluation, Version
    from atrous.workspace.version_content import ContentPicture

# What a kill may cost, against the time that a file of counts takes.
CHUNK_PICTURES = 50
# What the stock server takes where nothing better is known.
DEFAULT_PERCENT = 50


def evaluate_model(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Score the model of an evaluation on valid and test, as far as there are such pictures.

    Returns:
        `threshold`, the best one or None, and `pictures`, how many were scored.

    Raises:
        NotFoundError: if evaluation, model or version is gone.
        InvalidInputError: if there is nothing to score on, or the classes differ.
        StoppedError: because the watch wished for an end; the job can be taken up again.
    """
    evaluation = find_evaluation(ports, job.workspace, job.subject)
    if evaluation.state is EvaluationState.DONE:
        return {}
    model = ports.store.find_model(evaluation.workspace, evaluation.model)
    if model is None:
        raise NotFoundError(f"model {evaluation.workspace}/{evaluation.model}: is gone; there is nothing to evaluate")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _evaluate(ports, evaluation, model, folder, watch)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror}); free space and try again") from error


def _evaluate(ports: Ports, evaluation: ModelEvaluation, model: Model, folder: Path, watch: Watch) -> Mapping[str, Any]:
    version = find_version(ports, model.workspace, model.version_id)
    pictures = _list_scored(ports, version)
    engine = load_engine(ports.bundles.locate(model.workspace, model.slug), REPRODUCIBLE)
    class_map = engine.bundle.class_map
    if class_map != version.class_map:
        raise InvalidInputError(
            f"model {model.workspace}/{model.slug}: its classes are not those of version {version.id}, so it cannot be "
            "scored on its pictures"
        )
    scorer = _Scorer(ports, version, engine, folder, watch, total=sum(map(len, pictures.values())))
    tallies = {split: scorer.tally(split, of_split) for split, of_split in pictures.items()}
    about = _describe(tallies, class_map)
    about["finished"] = ports.clock.now().isoformat()
    details = folder / "details.npz"
    write_evaluation(details, about, tallies)
    best: int | None = about["best"]
    threshold = None if best is None else best / 100
    finish_evaluation(ports, evaluation, details, about["summary"], threshold)
    return {"threshold": threshold, "pictures": scorer.total}


def _list_scored(ports: Ports, version: Version) -> dict[str, list[ContentPicture]]:
    content = list_content(ports, version)
    found = {split.value: [one for one in content if one.split is split] for split in SCORED_SPLITS}
    scored = {split: of_split for split, of_split in found.items() if of_split}
    if not scored:
        raise InvalidInputError(f"version {version.id}: has no labelled valid or test pictures to score a model on")
    return scored


@dataclass(slots=True)
class _Scorer:
    """Goes through pictures once, and past those that an earlier run of the job has counted."""

    ports: Ports
    version: Version
    engine: Engine
    folder: Path
    watch: Watch
    total: int
    done: int = 0

    def tally(self, split: str, pictures: Sequence[ContentPicture]) -> Tally:
        chunks = (
            self._tally_chunk(self.folder / f"{split}-{start}.npz", pictures[start : start + CHUNK_PICTURES])
            for start in range(0, len(pictures), CHUNK_PICTURES)
        )
        return add_tallies(chunks, len(self.version.class_map))

    def _tally_chunk(self, path: Path, pictures: Sequence[ContentPicture]) -> Tally:
        tally = read_tally(path)
        if tally is None:
            tally = add_tallies(map(self._tally_picture, pictures), len(self.version.class_map))
            write_tally(path, tally)
        else:
            self._count(len(pictures))
        return tally

    def _tally_picture(self, picture: ContentPicture) -> Tally:
        if self.watch.wish() is not None:
            raise StoppedError(f"evaluation: stopped after {self.done} of {self.total} pictures; it can be resumed")
        sample = make_sample(self.ports, picture)
        image_HWC, label_HW = load_sample(sample, auto_orient=self.engine.bundle.preprocessing.auto_orient)
        started_s = time.perf_counter()
        predicted = self.engine.predict(image_HWC, sample.steps_done)
        latency_ms = (time.perf_counter() - started_s) * 1000
        class_count = len(self.version.class_map)
        tally = tally_picture(self._name(picture), label_HW, predicted, class_count=class_count, latency_ms=latency_ms)
        self._count(1)
        return tally

    def _name(self, picture: ContentPicture) -> Named:
        """Found by what it was made of; a picture that was deleted since then has no id any more."""
        found = self.ports.store.find_image(self.version.workspace, self.version.project, picture.source_sha256)
        return Named(picture.name, found.id if found else "")

    def _count(self, pictures: int) -> None:
        self.done += pictures
        self.watch.report({"done": self.done, "total": self.total})


def _find_interval(tally: Tally, percent: int) -> list[float] | None:
    """Where the mIoU lies, by the rule of the figures, which leave background out."""
    intervals = find_intervals(tally.count_pictures(percent), first_class=BACKGROUND_ID + 1)
    return interval_json(intervals.mean_iou) if intervals else None


def _describe(tallies: Mapping[str, Tally], class_map: ClassMap) -> dict[str, Any]:
    """All that is said of an evaluation beside its counts, as plain values."""
    counts = {split: sweep_thresholds(tally.levels_KKT) for split, tally in tallies.items()}
    rates = {split: rate_classes(counts_KKT) for split, counts_KKT in counts.items()}
    best = find_best_percent(rates[DECIDING_SPLIT.value]) if DECIDING_SPLIT.value in rates else None
    percent = DEFAULT_PERCENT if best is None else best
    # Test where there is one, as scores on the pictures that the threshold was chosen by are a little too good.
    headline = list(tallies)[-1]
    latency_ms_P = np.concatenate([tally.latency_ms_P for tally in tallies.values()])
    recommendations = recommend(
        counts[headline],
        np.sum([tally.shown_K for tally in tallies.values()], axis=0),
        {split: len(tally.pictures) for split, tally in tallies.items()},
        headline,
        percent=percent,
        class_map=class_map,
    )
    return {
        "best": best,
        "percent": percent,
        "headline": headline,
        "rule": METRICS_RULE,
        "classes": list(class_map.names),
        "recommendations": [one.as_json() for one in recommendations],
        "summary": {
            "split": headline,
            "threshold": percent / 100,
            "metrics": summarise(rates[headline], percent),
            "interval": _find_interval(tallies[headline], percent),
            "medianLatencyMs": round(float(np.median(latency_ms_P)), 3),
        },
    }
