"""A home that holds something of everything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.keys import create_key
from atrous.workspace.records import (
    EvaluationState,
    HeldMask,
    Job,
    JobKind,
    JobState,
    Model,
    ModelEvaluation,
    Picture,
    Project,
    Training,
    TrainingState,
    Version,
    VersionState,
)
from tests.fakes.bundles import make_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports

CLASSES = ClassMap(("background", "Straße"))
SIZE = Size(height=30, width=40)


def fill(ports: Ports, scratch: Path, workspace: str = "acme") -> dict[str, str]:
    """Add rows of every kind with their blobs, and a model; give the sha256 of each blob by what it is."""
    now = ports.clock.now()
    names = ("image", "mask", "unlabelled", "waiting", "made", "made mask", "details", "export")
    blobs = {name: ports.blobs.put(f"{workspace} {name}".encode()) for name in names}
    content = {"pictures": [{"name": "a.jpg", "image": blobs["made"], "mask": blobs["made mask"]}]}
    source = {"pictures": [["a.jpg", blobs["image"], blobs["mask"], "train", 30, 40, None]], "token": "x"}
    blobs["content"] = ports.blobs.put(json.dumps(content).encode())
    blobs["source"] = ports.blobs.put(json.dumps(source).encode())
    store = ports.store
    store.add_workspace(workspace)
    create_key(ports, workspace, "tests")
    store.add_project(Project(workspace, "road", CLASSES, now, name="Road"))
    pictures = [
        Picture("a.jpg", blobs["image"], blobs["mask"], Split.TRAIN, SIZE, {1: 7}, bytes(range(32)), tags=("sunny",)),
        Picture("b.jpg", blobs["unlabelled"], None, Split.VALID, SIZE, metadata={"camera": "5"}, created=now),
    ]
    store.add_pictures(workspace, "road", pictures)
    store.hold_mask(workspace, "road", HeldMask("", "c", blobs["waiting"], now))
    preprocessing = Preprocessing(SIZE, Fit.STRETCH)
    counts = {Split.TRAIN: 1, Split.VALID: 0, Split.TEST: 0}
    for state, field in ((VersionState.READY, "content"), (VersionState.GENERATING, "source")):
        named = {f"{name}_sha256": blobs[field] if name == field else "" for name in ("content", "source")}
        version = Version(workspace, "road", 0, "", CLASSES, preprocessing, counts, now, state=state)
        version = replace(version, **named)
        store.add_version(lambda number, v=version: replace(v, number=number), workspace, "road")
    training = Training(f"t-{workspace}", workspace, "road", 1, {}, TrainingState.DONE, now, ended=now)
    store.add_training(training)
    bundle = make_bundle(scratch / workspace)
    ports.bundles.publish(bundle, workspace, "road-1-t")
    store.add_model(Model(workspace, "road-1-t", "road", 1, training.id, now, {"miou": 0.5}))
    evaluation = ModelEvaluation(f"e-{workspace}", workspace, "road", 1, "road-1-t", EvaluationState.DONE, now)
    store.add_evaluation(replace(evaluation, details_sha256=blobs["details"]))
    result = {"sha256": blobs["export"], "bytes": 11}
    job = Job(f"j-{workspace}", workspace, JobKind.EXPORT, "road/1:coco", now, state=JobState.DONE, result=result)
    ports.queue.add_job(job)
    return blobs


def dump(ports: Ports) -> dict[str, list[dict[str, object]]]:
    """All rows, table by table."""
    with ports.store.open_snapshot() as snapshot:
        return {table: list(snapshot.rows(table)) for table in snapshot.tables}
