"""How colour masks and Cityscapes are written; used through `generated.GENERATORS`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atrous.datasets.splits import Split
from tests.datasets import generated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tests.datasets.generated import Scene

# By our ids: background, road, sign and void.
COLOURS = {0: (0, 0, 0), 1: (128, 64, 128), 2: (220, 220, 0), 255: (1, 0, 0)}
CITY_FOLDERS = {Split.TRAIN: "train/aachen", Split.VALID: "val/bonn", Split.TEST: "test/jena"}


def paint(mask_HW: NDArray[np.uint8], colours: Mapping[int, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """The mask in colours, blue first as OpenCV writes them."""
    painted_HWC = np.zeros((*mask_HW.shape, 3), np.uint8)
    for class_id, rgb in colours.items():
        painted_HWC[mask_HW == class_id] = rgb[::-1]
    return painted_HWC


def write_colour_masks(folder: Path) -> list[Scene]:
    """Folders and list as Kaggle's CamVid has them: train/ beside train_labels/, and class_dict.csv."""
    scenes = generated.draw_scenes()
    for scene in scenes:
        generated.write_jpeg(folder / scene.split / f"{scene.stem}.jpg", scene.image_HWC)
        painted_HWC = paint(scene.mask_HW, COLOURS)
        generated.write_png(folder / f"{scene.split}_labels" / f"{scene.stem}_mask.png", painted_HWC)
    rows = zip(("background", "road", "sign", "Unlabelled"), COLOURS.values(), strict=True)
    lines = [f"{name}, {r}, {g}, {b}\n" for name, (r, g, b) in rows]
    (folder / "class_dict.csv").write_text("name, r, g, b\n" + "".join(lines))
    return scenes


def lose_colour_mask(folder: Path, scene: Scene) -> None:
    (folder / f"{scene.split}_labels" / f"{scene.stem}_mask.png").unlink()


def city_picture(scene: Scene) -> Path:
    return Path("leftImg8bit", CITY_FOLDERS[scene.split], f"{scene.stem}_leftImg8bit.png")


def city_label(scene: Scene, kind: str = "labelIds") -> Path:
    return Path("gtFine", CITY_FOLDERS[scene.split], f"{scene.stem}_gtFine_{kind}.png")


def write_cityscapes(folder: Path) -> list[Scene]:
    """Cityscapes' ids with a list of their own names beside the folders, and colour previews."""
    scenes = generated.draw_scenes()
    for scene in scenes:
        generated.write_png(folder / city_picture(scene), scene.image_HWC)
        ids_HW = generated.recode(scene.mask_HW, {generated.ROAD: 7, generated.SIGN: 20, generated.VOID: 4})
        generated.write_png(folder / city_label(scene), ids_HW)
        generated.write_png(folder / city_label(scene, "color"), paint(scene.mask_HW, COLOURS))
    (folder / "classes.csv").write_text("id,name\n0,background\n4,void\n7,road\n20,sign\n")
    return scenes


def lose_city_label(folder: Path, scene: Scene) -> None:
    (folder / city_label(scene)).unlink()
