"""A project of drawn pictures whose settings a test chooses, and a watch that a test can make wish."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.datasets.pixel_counts import count_values, keep_present
from atrous.datasets.splits import Split
from atrous.worker.foreground import make_version_here
from atrous.workspace.records import Picture, Project, Wish
from tests.fakes.datasets import CLASS_MAP, SIZE, draw_picture, encode_png

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version

RESIZE = {"width": 32, "height": 24, "format": "Stretch to"}
SPLITS = (*[Split.TRAIN] * 4, *[Split.VALID] * 2, Split.TEST)


def keep_picture(
    ports: Ports,
    name: str,
    split: Split = Split.TRAIN,
    *,
    mask_HW: NDArray[np.uint8] | None = None,
    seed: int = 0,
    **facts: Any,
) -> Picture:
    """Blobs of a drawn picture and its mask, and the row that names them."""
    image_HWC, drawn_HW = draw_picture(np.random.default_rng(seed))
    mask_HW = drawn_HW if mask_HW is None else mask_HW
    suffix = ".png" if name.endswith(".png") else ".jpg"
    drawn: dict[str, Any] = {
        "image_sha256": ports.blobs.put(cv2.imencode(suffix, image_HWC)[1].tobytes()),
        "mask_sha256": ports.blobs.put(encode_png(mask_HW)),
        "size": SIZE,
        "class_pixels": keep_present(count_values(mask_HW, 256)),
    }
    return Picture(name=name, split=split, **drawn | facts)


def add_project(
    ports: Ports, pictures: Sequence[Picture] | None = None, *, workspace: str = "acme", slug: str = "road"
) -> list[Picture]:
    """Keep a project; without pictures given, seven drawn ones, lossless and lossy in turn."""
    ports.store.add_project(Project(workspace, slug, CLASS_MAP, ports.clock.now()))
    if pictures is None:
        pictures = [
            keep_picture(ports, f"scene_{index}{'.jpg' if index % 2 else '.png'}", split, seed=index)
            for index, split in enumerate(SPLITS)
        ]
    ports.store.add_pictures(workspace, slug, pictures)
    return list(pictures)


def make(
    ports: Ports,
    home: Path,
    preprocessing: Mapping[str, Any] | None = None,
    augmentation: Mapping[str, Any] | None = None,
    *,
    workspace: str = "acme",
) -> Version:
    """A ready version of the project `road`, 32x24 unless its settings say otherwise."""
    settings = {"preprocessing": {"resize": RESIZE} | dict(preprocessing or {}), "augmentation": augmentation or {}}
    return make_version_here(ports, workspace, "road", settings, home=home)


@dataclass
class Follower:
    """Keeps what it is told, and wishes once it was told so much."""

    wishes: Wish | None = None
    after: int = 0
    told: list[Mapping[str, Any]] = field(default_factory=list)

    def report(self, progress: Mapping[str, Any]) -> None:
        self.told.append(progress)

    def wish(self) -> Wish | None:
        return self.wishes if len(self.told) >= self.after else None
