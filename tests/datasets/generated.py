"""Datasets drawn from a seed, written in each format, with the pixels that an import must give.

A scene holds background, a road, a sign of a single pixel and void; every format must bring back exactly these ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.datasets.splits import Split
from tests.datasets import generated_masks, generated_outlines, generated_voc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

HEIGHT, WIDTH = 24, 32
CLASS_NAMES = ("background", "road", "sign")
ROAD, SIGN, VOID = 1, 2, 255
SPLITS = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)


@dataclass(frozen=True)
class Scene:
    """A drawn picture and its label; `road_xyxy_px` are the road's corners."""

    stem: str
    split: Split
    image_HWC: NDArray[np.uint8]
    mask_HW: NDArray[np.uint8]
    road_xyxy_px: tuple[int, int, int, int]


def draw_scenes(seed: int = 0) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [_draw_scene(rng, f"scene_{seed}_{index}", split) for index, split in enumerate(SPLITS)]


def _draw_scene(rng: np.random.Generator, stem: str, split: Split) -> Scene:
    image_HWC = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    left, top = (int(n) for n in rng.integers(1, 8, 2))
    road = (left, top, left + 12, top + 9)
    mask_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask_HW[road[1] : road[3], road[0] : road[2]] = ROAD
    mask_HW[top + 4, left + 5] = SIGN
    mask_HW[-3:, -4:] = VOID
    return Scene(stem, split, image_HWC, mask_HW, road)


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def write_jpeg(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


def recode(mask_HW: NDArray[np.uint8], values: dict[int, int]) -> NDArray[np.uint8]:
    """The same label in a source's own values."""
    recoded_HW = np.zeros_like(mask_HW)
    for class_id, value in values.items():
        recoded_HW[mask_HW == class_id] = value
    return recoded_HW


# png-masks


def write_png_masks(folder: Path) -> list[Scene]:
    """Values 3, 4, 7 and 9, none of which is ours; splits as folders."""
    scenes = draw_scenes()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.csv").write_text("Pixel Value,Class\n3,road\n4,sign\n7,Background\n9,unlabelled\n")
    for scene in scenes:
        write_jpeg(folder / scene.split / "images" / f"{scene.stem}.jpg", scene.image_HWC)
        values_HW = recode(scene.mask_HW, {0: 7, ROAD: 3, SIGN: 4, VOID: 9})
        write_png(folder / scene.split / "masks" / f"{scene.stem}.png", values_HW)
    return scenes


def _lose_png_mask(folder: Path, scene: Scene) -> None:
    (folder / scene.split / "masks" / f"{scene.stem}.png").unlink()


# roboflow-png


def write_roboflow_png(folder: Path) -> list[Scene]:
    """As exported: spaces in the csv, no newline at its end; void is 255 and not declared."""
    scenes = draw_scenes()
    for scene in scenes:
        part = folder / scene.split
        write_jpeg(part / f"{scene.stem}.jpg", scene.image_HWC)
        write_png(part / f"{scene.stem}_mask.png", scene.mask_HW)
        (part / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, road\n2, sign")
    return scenes


def _lose_roboflow_mask(folder: Path, scene: Scene) -> None:
    (folder / scene.split / f"{scene.stem}_mask.png").unlink()


# coco


def write_coco(folder: Path) -> list[Scene]:
    """Roads as polygons, signs as run lengths over them, void as crowd regions; the placeholder has id 0."""
    scenes = draw_scenes()
    for split in Split:
        inside = [scene for scene in scenes if scene.split == split]
        for scene in inside:
            write_jpeg(folder / split / f"{scene.stem}.jpg", scene.image_HWC)
        write_json(folder / split / "_annotations.coco.json", coco_document(inside))
    return scenes


def coco_document(scenes: list[Scene]) -> dict[str, Any]:
    return {
        "info": {},
        "categories": [
            {"id": 0, "name": "streets", "supercategory": "none"},
            {"id": 5, "name": "road", "supercategory": "streets"},
            {"id": 900, "name": "sign", "supercategory": "streets"},
        ],
        "images": [
            {"id": key, "file_name": f"{scene.stem}.jpg", "height": HEIGHT, "width": WIDTH}
            for key, scene in enumerate(scenes)
        ],
        "annotations": [
            {"id": 10 * key + order, "image_id": key} | shape
            for key, scene in enumerate(scenes)
            for order, shape in enumerate(_coco_shapes(scene))
        ],
    }


def _coco_shapes(scene: Scene) -> list[dict[str, Any]]:
    left, top, right, bottom = scene.road_xyxy_px
    polygon = [left, top, right, top, right, bottom, left, bottom]
    return [
        {"category_id": 5, "segmentation": [polygon], "iscrowd": 0},
        {"category_id": 900, "segmentation": run_lengths(scene.mask_HW == SIGN)},
        {"category_id": 5, "segmentation": run_lengths(scene.mask_HW == VOID), "iscrowd": 1},
    ]


def run_lengths(is_inside_HW: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's uncompressed run lengths: down the columns, beginning with those outside."""
    flat = is_inside_HW.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat])))
    return {"size": list(is_inside_HW.shape), "counts": np.diff([0, *edges, len(flat)]).tolist()}


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _lose_coco_entry(folder: Path, scene: Scene) -> None:
    path = folder / scene.split / "_annotations.coco.json"
    content = json.loads(path.read_text())
    content["images"] = [entry for entry in content["images"] if entry["file_name"] != f"{scene.stem}.jpg"]
    kept = {entry["id"] for entry in content["images"]}
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] in kept]
    write_json(path, content)


@dataclass(frozen=True)
class Generator:
    """How to write a format, where its pictures lie, how a picture loses its label, and whether labels say a size."""

    write: Callable[[Path], list[Scene]]
    picture_path: Callable[[Scene], Path]
    lose_label: Callable[[Path, Scene], None]
    says_size: bool = True


GENERATORS = {
    "png-masks": Generator(
        write_png_masks, lambda scene: Path(scene.split, "images", f"{scene.stem}.jpg"), _lose_png_mask
    ),
    "roboflow-png": Generator(
        write_roboflow_png, lambda scene: Path(scene.split, f"{scene.stem}.jpg"), _lose_roboflow_mask
    ),
    "coco": Generator(write_coco, lambda scene: Path(scene.split, f"{scene.stem}.jpg"), _lose_coco_entry),
    "voc": Generator(
        generated_voc.write_voc, lambda scene: Path("JPEGImages", f"{scene.stem}.jpg"), generated_voc.lose_voc_mask
    ),
    "mat-masks": Generator(
        generated_voc.write_mat_masks,
        lambda scene: Path(scene.split, "images", f"{scene.stem}.jpg"),
        generated_voc.lose_mat_mask,
    ),
    "supervisely": Generator(
        generated_voc.write_supervisely,
        lambda scene: Path(scene.split, "img", f"{scene.stem}.jpg"),
        generated_voc.lose_supervisely_annotation,
    ),
    "colour-masks": Generator(
        generated_masks.write_colour_masks,
        lambda scene: Path(scene.split, f"{scene.stem}.jpg"),
        generated_masks.lose_colour_mask,
    ),
    "cityscapes": Generator(
        generated_masks.write_cityscapes, generated_masks.city_picture, generated_masks.lose_city_label
    ),
    "labelme": Generator(
        generated_outlines.write_labelme,
        lambda scene: Path(scene.split, f"{scene.stem}.jpg"),
        generated_outlines.lose_labelme_file,
    ),
    "yolo": Generator(
        generated_outlines.write_yolo,
        lambda scene: Path(scene.split, "images", f"{scene.stem}.jpg"),
        generated_outlines.lose_yolo_text,
        says_size=False,
    ),
    "label-studio": Generator(
        generated_outlines.write_label_studio,
        lambda scene: Path(scene.split, f"{scene.stem}.jpg"),
        generated_outlines.lose_label_studio_task,
    ),
}
