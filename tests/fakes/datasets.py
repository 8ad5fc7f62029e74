"""A drawn dataset that a small network learns in seconds: ids follow colours, and void lies over noise.

A road is red, a sign is blue, everything else is dark green; the last rows are void.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.preprocessing import Preprocessing
from atrous.core.class_map import VOID_ID, ClassMap
from atrous.core.sizes import Size
from atrous.datasets.content import Sample
from atrous.datasets.splits import Split
from atrous.workspace.records import Picture, Project
from atrous.workspace.versions import create_version

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version

CLASS_MAP = ClassMap(("background", "road", "sign"))
ROAD, SIGN = 1, 2
COLOURS_BGR = np.array([[30, 60, 20], [40, 40, 220], [220, 60, 40]], np.uint8)
NOISE_LEVELS = 12
VOID_ROWS = 4
# Neither side is a multiple of the networks' strides, and five pictures leave a last batch of one.
SIZE = Size(height=40, width=56)
TRAIN_PICTURES, VALID_PICTURES = 5, 2


def draw_picture(rng: np.random.Generator, size: Size = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Give image_HWC, BGR, and its mask_HW."""
    mask_HW = np.zeros((size.height, size.width), np.uint8)
    left, top = int(rng.integers(2, size.width // 3)), int(rng.integers(2, size.height // 3))
    mask_HW[top : top + size.height // 2, left : left + size.width // 3] = ROAD
    centre = (int(rng.integers(size.width * 2 // 3, size.width - 8)), int(rng.integers(8, size.height - 12)))
    cv2.circle(mask_HW, centre, 6, SIGN, cv2.FILLED)
    noise_HWC = rng.integers(-NOISE_LEVELS, NOISE_LEVELS + 1, (size.height, size.width, 3))
    image_HWC = np.clip(COLOURS_BGR[mask_HW] + noise_HWC, 0, 255).astype(np.uint8)
    image_HWC[-VOID_ROWS:] = rng.integers(0, 256, (VOID_ROWS, size.width, 3), dtype=np.uint8)
    mask_HW[-VOID_ROWS:] = VOID_ID
    return image_HWC, mask_HW


def draw_samples(
    folder: Path, *, train: int = TRAIN_PICTURES, valid: int = VALID_PICTURES, seed: int = 0
) -> tuple[Sample, ...]:
    """Write pictures and masks as files."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    for index, split in enumerate([Split.TRAIN] * train + [Split.VALID] * valid):
        name = f"scene_{index}.png"
        image_path, mask_path = folder / name, folder / f"mask_{index}.png"
        image_HWC, mask_HW = draw_picture(rng)
        image_path.write_bytes(encode_png(image_HWC))
        mask_path.write_bytes(encode_png(mask_HW))
        samples.append(Sample(name, image_path, mask_path, split))
    return tuple(samples)


def add_version(ports: Ports, workspace: str, project: str, *, seed: int = 0) -> Version:
    """Keep a project of drawn pictures and freeze it; the workspace has to be there."""
    ports.store.add_project(Project(workspace, project, CLASS_MAP, ports.clock.now()))
    rng = np.random.default_rng(seed)
    pictures: list[Picture] = []
    for index, split in enumerate([Split.TRAIN] * TRAIN_PICTURES + [Split.VALID] * VALID_PICTURES):
        image_HWC, mask_HW = draw_picture(rng)
        image, mask = ports.blobs.put(encode_png(image_HWC)), ports.blobs.put(encode_png(mask_HW))
        pictures.append(Picture(f"scene_{index}.png", image, mask, split, SIZE))
    ports.store.add_pictures(workspace, project, pictures)
    return create_version(ports, workspace, project, Preprocessing(size=SIZE))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """The pixels as a file."""
    return cv2.imencode(".png", pixels)[1].tobytes()
