"""The data set on disk: pictures, masks and the list of classes."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from .palette import CLASS_NAMES
from .scene import Scene, draw_scene

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Plan:
    """What to draw.

    Attributes:
        counts: scenes per split, one of SPLITS each.
        seed: splits and scenes each get a stream of their own from it, so a scene does not depend on the others.
    """

    counts: dict[str, int]
    seed: int = 7
    width_px: int = 384
    height_px: int = 288


@dataclass(frozen=True)
class Task:
    """One scene to write."""

    split: str
    number: int


def write_dataset(out: Path, plan: Plan, jobs: int | None = None) -> None:
    """Draw every scene of the plan into OUT/SPLIT/{images,masks}; the bytes do not depend on the number of jobs."""
    for split in plan.counts:
        for kind in ("images", "masks"):
            (out / split / kind).mkdir(parents=True, exist_ok=True)
    (out / "classes.csv").write_text(_list_classes(), encoding="utf-8")
    write = partial(_write_scene, out, plan)
    tasks = list(_list_tasks(plan))
    workers = min(jobs or os.cpu_count() or 1, max(1, len(tasks) // 8))
    if workers == 1:
        for task in tasks:
            write(task)
        return
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(write, tasks, chunksize=8):
            pass


def draw_task(plan: Plan, task: Task) -> tuple[Scene, int]:
    """A scene of the plan, and the JPEG quality it is kept at."""
    rng = np.random.default_rng((plan.seed, SPLITS.index(task.split), task.number))
    scene = draw_scene(rng, width_px=plan.width_px, height_px=plan.height_px)
    return scene, int(rng.integers(60, 95))


def _list_tasks(plan: Plan) -> Iterator[Task]:
    for split, count in plan.counts.items():
        for number in range(count):
            yield Task(split, number)


def _list_classes() -> str:
    rows = [f"{value},{name}" for value, name in CLASS_NAMES.items()]
    return "\n".join(["Pixel Value,Class", *rows]) + "\n"


def _write_scene(out: Path, plan: Plan, task: Task) -> None:
    cv2.setNumThreads(1)
    scene, quality = draw_task(plan, task)
    name = f"{task.split}_{task.number:04d}"
    image_BGR = cv2.cvtColor(scene.image_HWC, cv2.COLOR_RGB2BGR)
    _write_picture(
        out / task.split / "images" / f"{name}.jpg",
        cv2.imencode(".jpg", image_BGR, (cv2.IMWRITE_JPEG_QUALITY, quality)),
    )
    _write_picture(out / task.split / "masks" / f"{name}.png", cv2.imencode(".png", scene.mask_HW))


def _write_picture(path: Path, encoded: tuple[bool, np.typing.NDArray[np.uint8]]) -> None:
    is_encoded, data = encoded
    if not is_encoded:
        raise OSError(f"{path}: the picture could not be encoded")
    path.write_bytes(data.tobytes())
