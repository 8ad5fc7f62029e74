"""How PASCAL VOC, MATLAB and Supervisely datasets are written; used through `generated.GENERATORS`."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atrous.datasets.splits import Split
from tests.datasets import generated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.datasets.generated import Scene

VOC_LIST_NAMES = {Split.TRAIN: "train.txt", Split.VALID: "val.txt", Split.TEST: "test.txt"}


def write_palette_png(path: Path, indices_HW: NDArray[np.uint8], colours: Sequence[int]) -> None:
    """A palette PNG; `colours` are 0xRRGGBB by index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(indices_HW, "P")
    picture.putpalette(b"".join(colour.to_bytes(3, "big") for colour in colours))
    picture.save(path)


def write_voc(folder: Path) -> list[Scene]:
    """Palette masks whose indices are values; void is 255 and not declared; splits as lists."""
    scenes = generated.draw_scenes()
    for scene in scenes:
        generated.write_jpeg(folder / "JPEGImages" / f"{scene.stem}.jpg", scene.image_HWC)
        write_palette_png(folder / "SegmentationClass" / f"{scene.stem}.png", scene.mask_HW, range(256))
    (folder / "class_names.txt").write_text("_background_\nroad\nsign")
    write_split_lists(folder / "ImageSets" / "Segmentation", scenes)
    return scenes


def write_split_lists(folder: Path, scenes: Sequence[Scene]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, name in VOC_LIST_NAMES.items():
        (folder / name).write_text("".join(f"{scene.stem}\n" for scene in scenes if scene.split == split))


def lose_voc_mask(folder: Path, scene: Scene) -> None:
    (folder / "SegmentationClass" / f"{scene.stem}.png").unlink()


# MATLAB


def write_mat_masks(folder: Path) -> list[Scene]:
    """Doubles, as MATLAB writes numbers; void is 9 and declared."""
    scenes = generated.draw_scenes()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.csv").write_text("0,background\n1,road\n2,sign\n9,unlabelled\n")
    for scene in scenes:
        generated.write_jpeg(folder / scene.split / "images" / f"{scene.stem}.jpg", scene.image_HWC)
        values_HW = generated.recode(scene.mask_HW, {generated.ROAD: 1, generated.SIGN: 2, generated.VOID: 9})
        write_mat(folder / scene.split / "masks" / f"{scene.stem}.mat", {"label": values_HW.astype(np.float64)})
    return scenes


def write_mat(path: Path, variables: dict[str, Any], *, is_compressed: bool = True) -> None:
    """A file as -v7 saves it: matrices, texts, lists as cells and dicts as structs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_mat(variables, is_compressed=is_compressed))


def encode_mat(variables: dict[str, Any], *, is_compressed: bool = True) -> bytes:
    elements = [_encode_matrix(value, name) for name, value in variables.items()]
    if is_compressed:
        packed = [zlib.compress(element) for element in elements]
        elements = [struct.pack("<2I", 15, len(element)) + element for element in packed]
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(elements)


MAT_CLASSES = {"float64": (6, 9), "uint8": (9, 2), "int16": (10, 3), "uint16": (11, 4), "int64": (14, 12)}


def _encode_matrix(value: Any, name: str = "") -> bytes:
    dims, class_code = (1, 1), 2
    match value:
        case str():
            dims, class_code = (1, len(value)), 4
            content = _encode_element(4, value.encode("utf-16-le"))
        case list():
            dims, class_code = (len(value), 1), 1
            content = b"".join(_encode_matrix(cell) for cell in value)
        case dict():
            names = b"".join(field.encode().ljust(32, b"\0") for field in value)
            content = _encode_element(5, struct.pack("<i", 32)) + _encode_element(1, names)
            content += b"".join(_encode_matrix(field) for field in value.values())
        case _:
            dims, (class_code, kind) = value.shape, MAT_CLASSES[value.dtype.name]
            content = _encode_element(kind, value.tobytes(order="F"))
    head = _encode_element(6, struct.pack("<2I", class_code, 0))
    head += _encode_element(5, struct.pack(f"<{len(dims)}i", *dims)) + _encode_element(1, name.encode())
    return _encode_element(14, head + content)


def _encode_element(kind: int, content: bytes) -> bytes:
    if 0 < len(content) <= 4:
        return struct.pack("<I", len(content) << 16 | kind) + content.ljust(4, b"\0")
    return struct.pack("<2I", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def lose_mat_mask(folder: Path, scene: Scene) -> None:
    (folder / scene.split / "masks" / f"{scene.stem}.mat").unlink()


# Supervisely


def write_supervisely(folder: Path) -> list[Scene]:
    """The sign lies below the road and shows through a hole in it; void is a bitmap."""
    scenes = generated.draw_scenes()
    titles = {"road": "polygon", "sign": "rectangle", "unlabelled": "bitmap"}
    classes = [{"title": title, "shape": shape, "color": "#FF0000"} for title, shape in titles.items()]
    generated.write_json(folder / "meta.json", {"classes": classes, "tags": []})
    for scene in scenes:
        part = folder / scene.split
        generated.write_jpeg(part / "img" / f"{scene.stem}.jpg", scene.image_HWC)
        generated.write_json(part / "ann" / f"{scene.stem}.jpg.json", supervisely_annotation(supervisely_shapes(scene)))
    return scenes


def supervisely_annotation(objects: list[dict[str, Any]]) -> dict[str, Any]:
    size = {"height": generated.HEIGHT, "width": generated.WIDTH}
    return {"description": "", "tags": [], "size": size, "objects": objects}


def supervisely_shapes(scene: Scene) -> list[dict[str, Any]]:
    left, top, right, bottom = scene.road_xyxy_px
    (y, x), *_ = np.argwhere(scene.mask_HW == generated.SIGN).tolist()
    hole = box_corners(x, y, x + 1, y + 1)
    sign = {"exterior": [[x, y], [x + 1, y + 1]], "interior": []}
    road = {"exterior": box_corners(left, top, right, bottom), "interior": [hole]}
    void_HW = scene.mask_HW[-3:, -4:] == generated.VOID
    origin = [generated.WIDTH - 4, generated.HEIGHT - 3]
    return [
        {"classTitle": "sign", "geometryType": "rectangle", "points": sign},
        {"classTitle": "road", "geometryType": "polygon", "points": road},
        {"classTitle": "unlabelled", "geometryType": "bitmap", "bitmap": encode_bitmap(void_HW, origin)},
    ]


def box_corners(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def encode_bitmap(is_inside_HW: NDArray[np.bool_], origin: list[int]) -> dict[str, Any]:
    """As Supervisely writes it: a palette PNG whose first colour is transparent, compressed once more."""
    picture = Image.fromarray(is_inside_HW.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 255, 255])
    png = io.BytesIO()
    picture.save(png, "PNG", transparency=0)
    return {"data": base64.b64encode(zlib.compress(png.getvalue())).decode(), "origin": origin}


def lose_supervisely_annotation(folder: Path, scene: Scene) -> None:
    (folder / scene.split / "ann" / f"{scene.stem}.jpg.json").unlink()
