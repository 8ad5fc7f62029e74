"""How LabelMe, YOLO and Label Studio datasets are written; used through `generated.GENERATORS`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.datasets import generated

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.datasets.generated import Scene

UPLOAD_PREFIX = "0a1b2c3d-"
EXPORT_NAME = "project-1-at-2024-05-01-10-20-a1b2c3d4.json"


def sign_xy(scene: Scene) -> tuple[int, int]:
    y, x = np.argwhere(scene.mask_HW == generated.SIGN)[0].tolist()
    return x, y


# labelme


def write_labelme(folder: Path) -> list[Scene]:
    """Roads as polygons, signs as rectangles over them, void as `__ignore__`; splits as folders."""
    scenes = generated.draw_scenes()
    for scene in scenes:
        generated.write_jpeg(folder / scene.split / f"{scene.stem}.jpg", scene.image_HWC)
        generated.write_json(folder / scene.split / f"{scene.stem}.json", labelme_document(scene))
    return scenes


def labelme_document(scene: Scene) -> dict[str, Any]:
    left, top, right, bottom = scene.road_xyxy_px
    x, y = sign_xy(scene)
    # labelme's outlines belong to the object, so the last pixels are corners.
    road = [[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]
    void = [[generated.WIDTH - 4, generated.HEIGHT - 3], [generated.WIDTH - 1, generated.HEIGHT - 1]]
    shapes = [("road", "polygon", road), ("sign", "rectangle", [[x, y], [x, y]]), ("__ignore__", "rectangle", void)]
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": [
            {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}
            for label, kind, points in shapes
        ],
        "imagePath": f"{scene.stem}.jpg",
        "imageData": None,
        "imageHeight": generated.HEIGHT,
        "imageWidth": generated.WIDTH,
    }


def lose_labelme_file(folder: Path, scene: Scene) -> None:
    (folder / scene.split / f"{scene.stem}.json").unlink()


# yolo


def write_yolo(folder: Path) -> list[Scene]:
    """The sign comes first in its file, though it lies over the road: the smaller one is on top."""
    scenes = generated.draw_scenes()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 3\nnames: ['road', 'sign', 'void']\n"
    )
    for scene in scenes:
        generated.write_jpeg(folder / scene.split / "images" / f"{scene.stem}.jpg", scene.image_HWC)
        path = folder / scene.split / "labels" / f"{scene.stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(_yolo_lines(scene)))
    return scenes


def _yolo_lines(scene: Scene) -> list[str]:
    x, y = sign_xy(scene)
    corners = [
        (1, (x, y, x + 1, y + 1)),
        (0, scene.road_xyxy_px),
        (2, (generated.WIDTH - 4, generated.HEIGHT - 3, generated.WIDTH, generated.HEIGHT)),
    ]
    return [yolo_line(index, *xyxy) for index, xyxy in corners]


def yolo_line(index: int, left: float, top: float, right: float, bottom: float) -> str:
    points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return " ".join([str(index), *(f"{x / generated.WIDTH:.6f} {y / generated.HEIGHT:.6f}" for x, y in points)])


def lose_yolo_text(folder: Path, scene: Scene) -> None:
    (folder / scene.split / "labels" / f"{scene.stem}.txt").unlink()


# label-studio


def write_label_studio(folder: Path) -> list[Scene]:
    """Roads as rectangles, signs as brush strokes over them, void as polygons; pictures without the upload's prefix."""
    scenes = generated.draw_scenes()
    for scene in scenes:
        generated.write_jpeg(folder / scene.split / f"{scene.stem}.jpg", scene.image_HWC)
    generated.write_json(
        folder / EXPORT_NAME, [label_studio_task(number, scene) for number, scene in enumerate(scenes)]
    )
    return scenes


def label_studio_task(number: int, scene: Scene) -> dict[str, Any]:
    left, top, right, bottom = scene.road_xyxy_px
    to_percent = np.array([100 / generated.WIDTH, 100 / generated.HEIGHT])
    x, y, width, height = ((left, top, right - left, bottom - top) * np.tile(to_percent, 2)).tolist()
    void = np.array([[-4, -3], [0, -3], [0, 0], [-4, 0]]) + np.array([generated.WIDTH, generated.HEIGHT])
    return {
        "id": number,
        "annotations": [
            {
                "id": number,
                "was_cancelled": False,
                "result": [
                    region("rectangle", "road", {"x": x, "y": y, "width": width, "height": height, "rotation": 0}),
                    region("brush", "sign", {"format": "rle", "rle": pack_bits(scene.mask_HW == generated.SIGN)}),
                    region("polygon", "void", {"points": (void * to_percent).tolist(), "closed": True}),
                ],
            }
        ],
        "predictions": [],
        "data": {"image": f"/data/upload/1/{UPLOAD_PREFIX}{scene.stem}.jpg"},
    }


def region(kind: str, label: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": f"{kind}-{label}",
        "type": f"{kind}labels",
        "original_width": generated.WIDTH,
        "original_height": generated.HEIGHT,
        "image_rotation": 0,
        "value": value | {f"{kind}labels": [label]},
    } | more


def pack_bits(is_inside_HW: NDArray[np.bool_], *, repeat: bool = True) -> list[int]:
    """Label Studio's packing of a picture that is black, and opaque inside; without `repeat`, as values alone."""
    values = np.zeros((*is_inside_HW.shape, 4), np.uint8)
    values[is_inside_HW] = 255
    flat = values.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    runs = np.split(flat, edges) if repeat else np.array_split(flat, max(1, len(flat) // 13))
    sizes = (3, 4, 8, 16)
    bits = f"{len(flat):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    for run in runs:
        choice = next(n for n, size in enumerate(sizes) if len(run) <= 1 << size)
        head = f"{int(repeat)}{choice:02b}{len(run) - 1:0{sizes[choice]}b}"
        bits += head + "".join(f"{value:08b}" for value in (run[:1] if repeat else run))
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def lose_label_studio_task(folder: Path, scene: Scene) -> None:
    path = folder / EXPORT_NAME
    tasks = json.loads(path.read_text())
    generated.write_json(path, [task for task in tasks if not task["data"]["image"].endswith(f"-{scene.stem}.jpg")])
