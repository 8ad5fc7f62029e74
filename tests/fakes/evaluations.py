"""A version of pictures that the networks of `bundles.py` can be scored on, and their scoring without a worker.

Reds of all strengths lie on black; the upper half is labelled red, so that faint red is missed and red below is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.preprocessing import Preprocessing
from atrous.core.class_map import VOID_ID, ClassMap
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.worker.model_evaluation import evaluate_model
from atrous.worker.watch import SilentWatch
from atrous.workspace.evaluations import find_evaluation, request_evaluation
from atrous.workspace.jobs import find_last_job
from atrous.workspace.records import JobKind, Picture, Project
from atrous.workspace.versions import create_version
from tests.fakes.bundles import CLASS_NAMES
from tests.fakes.datasets import encode_png

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model, ModelEvaluation, Version

SIZE = Size(height=24, width=32)
RED = 1


def draw_reds(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Give image_HWC, BGR, and its mask_HW."""
    image_HWC = np.zeros((SIZE.height, SIZE.width, 3), np.uint8)
    image_HWC[..., 2] = rng.integers(0, 256, (SIZE.height, SIZE.width))
    mask_HW = np.zeros((SIZE.height, SIZE.width), np.uint8)
    mask_HW[: SIZE.height // 2] = RED
    mask_HW[:, :2] = VOID_ID
    return image_HWC, mask_HW


def add_red_version(
    ports: Ports, workspace: str = "acme", project: str = "road", *, valid: int = 2, test: int = 2
) -> Version:
    """Keep a project of drawn pictures and freeze it; the workspace has to be there."""
    class_map = ClassMap(CLASS_NAMES)
    ports.store.add_project(Project(workspace, project, class_map, ports.clock.now()))
    rng = np.random.default_rng(1)
    pictures: list[Picture] = []
    for index, split in enumerate([Split.TRAIN] + [Split.VALID] * valid + [Split.TEST] * test):
        image_HWC, mask_HW = draw_reds(rng)
        image, mask = ports.blobs.put(encode_png(image_HWC)), ports.blobs.put(encode_png(mask_HW))
        pictures.append(Picture(f"{split}_{index}.png", image, mask, split, SIZE))
    ports.store.add_pictures(workspace, project, pictures)
    return create_version(ports, workspace, project, Preprocessing(size=Size(height=64, width=64)))


def request_job(ports: Ports, model: Model) -> Job:
    """The job that scores a model."""
    evaluation = request_evaluation(ports, model)
    job = find_last_job(ports, JobKind.EVALUATE, model.workspace, evaluation.id)
    assert job is not None
    return job


def evaluate_now(ports: Ports, model: Model, folder: Path, watch: Watch | None = None) -> ModelEvaluation:
    """Score a model in this process."""
    job = request_job(ports, model)
    evaluate_model(ports, job, folder / job.id, watch or SilentWatch())
    return find_evaluation(ports, model.workspace, job.subject)
